import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Server as NetServer } from 'node:net'
import { Aedes } from 'aedes'
import type { Reading, ThresholdEvent } from '../../../sync/contract/index.ts'

interface Put {
  set: string
  rules: Record<string, unknown>[]
}

interface Listener {
  response: ServerResponse
  after: number
}

/**
 * A gateway as far as the nodes see one: the HTTP API on a real socket, a real MQTT broker, and events that tests make up. It decides
 * nothing.
 */
export class TestGateway {
  readonly apiFile: string
  /** Every set of rules that was put, in order. */
  readonly puts: Put[] = []
  /** Every body of `POST /alarms/act`. */
  readonly acts: Record<string, unknown>[] = []
  /** Every MQTT publish. */
  readonly published: { topic: string; body: Record<string, unknown>; qos: number }[] = []
  readonly events: ThresholdEvent[] = []
  alarms: Record<string, unknown>[] = []
  /** What makes a rule set wrong; null = nothing. */
  refuse: (rules: Record<string, unknown>[]) => { path: string; message: string }[] | null = () => null
  refuseAct: { status: number; code: string; message: string } | null = null
  #http: Server | null = null
  #mqtt: NetServer | null = null
  #broker: Aedes | null = null
  #eventStreams: Listener[] = []
  #readingStreams: ServerResponse[] = []

  constructor(apiFile: string) {
    this.apiFile = apiFile
  }

  async start(): Promise<void> {
    this.#broker = await Aedes.createBroker()
    this.#broker.on('publish', ({ topic, payload, qos }, client) => {
      if (client !== null)
        this.published.push({ topic, body: JSON.parse(payload.toString()) as Record<string, unknown>, qos })
    })
    this.#mqtt = createNetServer(this.#broker.handle)
    this.#mqtt.listen(0, '127.0.0.1')
    await once(this.#mqtt, 'listening')
    this.#http = createServer((request, response) => void this.#answer(request, response))
    this.#http.listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
    const { port } = this.#http.address() as AddressInfo
    await writeFile(this.apiFile, JSON.stringify({ url: `http://127.0.0.1:${port}`, token: 'secret' }))
  }

  async stop(): Promise<void> {
    await rm(this.apiFile, { force: true })
    this.#eventStreams = []
    this.#readingStreams = []
    this.#http?.closeAllConnections()
    await new Promise((closed) => (this.#http ? this.#http.close(closed) : closed(null)))
    await new Promise<void>((closed) => (this.#broker ? this.#broker.close(() => closed()) : closed()))
    await new Promise((closed) => (this.#mqtt ? this.#mqtt.close(closed) : closed(null)))
  }

  /** How many streams of events are open. */
  get listening(): number {
    return this.#eventStreams.length
  }

  get tapping(): number {
    return this.#readingStreams.length
  }

  /** An event comes about, durable at once. */
  emit(device: string, rule: string, kind: string, condition: string | null): ThresholdEvent {
    const transition = this.events.length + 1
    const event: ThresholdEvent = {
      id: `${device}/${rule}/${transition}`,
      device,
      rule,
      transition,
      since: 1_700_000_000_000,
      type: `tidegate.alarm.${kind}`,
      time: 1_700_000_000_000 + transition,
      data: {
        severity: 'high',
        message: `${device} ${kind}`,
        limit: 80,
        state: { before: 'normal', after: condition === null ? 'normal' : 'unacknowledged' },
        condition: { before: null, after: condition },
        reading: { metric: 'temperature', value: 81, unit: 'Cel' },
      },
    }
    this.events.push(event)
    for (const listener of this.#eventStreams) this.#catchUp(listener)
    return event
  }

  /** Resolves when whoever listens has had time to take what was written: another request on a socket of its own is through. */
  async sent(): Promise<void> {
    const { port } = (this.#http as Server).address() as AddressInfo
    for (let i = 0; i < 3; i++) await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text())
  }

  reading(reading: Omit<Reading, 'received'>): void {
    const data = JSON.stringify({ ...reading, received: 1 })
    for (const response of this.#readingStreams) response.write(`event: reading\ndata: ${data}\n\n`)
  }

  #catchUp(listener: Listener): void {
    for (; listener.after < this.events.length; listener.after++) {
      const data = JSON.stringify(this.events[listener.after])
      listener.response.write(`id: ${listener.after + 1}\nevent: threshold\ndata: ${data}\n\n`)
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (request.headers.authorization !== 'Bearer secret') return fail(response, 401, 'API_UNAUTHORISED', 'no token')
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /status': {
        const { port } = (this.#mqtt as NetServer).address() as AddressInfo
        return json(response, {
          site: 'test',
          listeners: [`mqtt://127.0.0.1:${port}`],
          topics: ['sensors/{device}', 'sensors/{device}/{metric}'],
        })
      }
      case 'PUT /rules':
        return this.#put(url.searchParams.get('set') ?? 'main', await bodyOf(request), response)
      case 'GET /alarms':
        return json(response, this.alarms)
      case 'POST /alarms/act': {
        const body = await bodyOf(request)
        if (this.refuseAct) return fail(response, this.refuseAct.status, this.refuseAct.code, this.refuseAct.message)
        this.acts.push(body)
        return json(response, this.emit(String(body['device']), String(body['rule']), String(body['action']), 'hi'))
      }
      case 'GET /events': {
        const after = url.searchParams.get('after') ?? 'end'
        stream(response)
        const start = after === 'end' ? this.events.length : after === 'start' ? 0 : Number(after)
        const listener = { response, after: start }
        response.write(`id: ${start}\n\n`)
        this.#eventStreams.push(listener)
        response.on('close', () => {
          this.#eventStreams = this.#eventStreams.filter((other) => other !== listener)
        })
        return this.#catchUp(listener)
      }
      case 'GET /readings':
        stream(response)
        this.#readingStreams.push(response)
        response.on('close', () => {
          this.#readingStreams = this.#readingStreams.filter((other) => other !== response)
        })
        return
      default:
        return fail(response, 404, 'API_UNKNOWN', url.pathname)
    }
  }

  #put(set: string, body: Record<string, unknown>, response: ServerResponse): void {
    const rules = body['rules'] as Record<string, unknown>[]
    const problems = this.refuse(rules)
    if (problems !== null) {
      fail(response, 400, 'RULES_INVALID', 'the rules are wrong', problems)
      return
    }
    this.puts.push({ set, rules })
    response.setHeader('etag', `"${this.puts.length}"`)
    json(response, { revision: String(this.puts.length), changed: true })
  }
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': still here\n\n')
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const fail = (response: ServerResponse, status: number, code: string, message: string, problems?: unknown[]): void =>
  json(response, { error: { code, message, ...(problems === undefined ? {} : { problems }) } }, status)

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return JSON.parse(text)
}
