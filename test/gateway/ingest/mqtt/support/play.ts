import { vi } from 'vitest'
import { defaultMqttLimits } from '../../../../../gateway/ingest/mqtt/settings.ts'
import { type FakeAcceptor, type Received, storeFull } from './fake-acceptor.ts'
import { type FarEnd, farEnds } from './far-end.ts'
import {
  connectPacket,
  disconnectPacket,
  pingreqPacket,
  pubackPacket,
  pubcompPacket,
  publishPacket,
  pubrecPacket,
  pubrelPacket,
  subscribePacket,
  unsubscribePacket,
} from './packets.ts'
import { turn } from './peer.ts'
import { PATIENCE, RawClient, type ReceivedPacket } from './raw-client.ts'
import { CLIENTS, type Frame, MALFORMED, type Opening, type Publish, type Script, type Step } from './script.ts'
import { openServer } from './server.ts'

const PUBLISH = 3
const PUBREL = 6

/**
 * How fast a script is played.
 *
 * - `frame by frame`: a chunk brings at most one frame to its end, and nothing follows until all its effects are over.
 * - `as it comes`: as the script cuts it, several frames in a chunk, so that they are under way together. What the outcome rightly depends
 *   on the moment for (SUBSCRIBE, PUBREL, the end of a connection) waits until nothing is with the acceptor.
 * - `one listener after the other`: frame by frame, but that what changes who listens waits until nothing is with the acceptor: whether somebody
 *   hears what came before is open.
 */
export type Pace = 'frame by frame' | 'one listener after the other' | 'as it comes'

/** What one connection got to see in one step. */
export interface Seen {
  step: number
  connection: number
  packets: ReceivedPacket[]
  /** It has ended, and this is the step in which it did. */
  ended: boolean
}

export interface Transcript {
  /** How many there are; the last is the end of the server. */
  steps: number
  seen: Seen[]
  /** What the acceptor got, by step. */
  accepted: Array<{ step: number; publish: Received }>
  releases: Array<{ clientId: string; messageId: number | null }>
  counts: Record<string, number>
  /** Payloads of QoS 1 publishes whose connection was over when the acceptor answered them. */
  orphans: Set<string>
}

interface Connection {
  number: number
  clientId: string
  client: RawClient
  /** The server's end. */
  far: FarEnd
  /** What of `client.packets` has been told. */
  told: number
  ended: boolean
  /** Of `client.packets`, those that `receive` has answered. */
  answered: number
}

/** How publishes come to the acceptor; `plain`: the direct way, and those that nobody listens to as plain readings. */
export type Way = 'library' | 'direct' | 'plain'

/** Turns of the event loop without any effect after which there will be none: the library never waits for more than a few. */
const QUIET_TURNS = 6
const PATIENCE_MS = 20_000

const clientId = (client: number): string => `c${client}`

/** Plays a script against a server, with real sockets (see `watched`), and says everything that could be seen. */
export async function play(script: Script, pace: Pace, way: Way): Promise<Transcript> {
  // The library begins each connection's packet identifiers at random.
  const random = vi.spyOn(Math, 'random').mockReturnValue((script.lastId - 0.5) / 65_535)
  farEnds.length = 0
  try {
    return await new Player(script, pace).play(way)
  } finally {
    random.mockRestore()
  }
}

class Player {
  readonly #script: Script
  readonly #pace: Pace
  readonly #connections: Connection[] = []
  readonly #transcript: Transcript = { steps: 0, seen: [], accepted: [], releases: [], counts: {}, orphans: new Set() }
  readonly #current: Array<Connection | undefined> = []
  readonly #openings: Opening[]
  #acceptor!: FakeAcceptor
  #port = 0
  #step = 0
  #payloads = 0

  constructor(script: Script, pace: Pace) {
    this.#script = script
    this.#pace = pace
    this.#openings = [...script.openings]
  }

  async play(way: Way): Promise<Transcript> {
    const { steps, answers, closesBusy, maxInflightBytes } = this.#script
    // A machine that stands still for a while ends no connection.
    const patient = { connectTimeout: 2 * PATIENCE_MS, drainTimeout: 2 * PATIENCE_MS, closeGrace: PATIENCE_MS }
    const limits = { ...defaultMqttLimits, maxInflightBytes, ...patient }
    const { server, acceptor, port, counts } = await openServer({ directWay: way !== 'library', limits })
    this.#acceptor = acceptor
    if (way === 'plain') acceptor.plain = 'each'
    this.#port = port
    acceptor.auto = answers !== 'as told'
    acceptor.atOnce = answers === 'at once'
    let closed = false
    try {
      for (let client = 0; client < CLIENTS; client++) await this.#connect(client)
      for (const step of steps) {
        this.#step++
        await this.#take(step)
        this.#tell()
      }
      this.#step++
      const failed = counts()['clients.failed'] ?? 0
      if (!closesBusy || this.#pace !== 'frame by frame') await this.#drain()
      const closing = server.close().then(() => {
        closed = true
      })
      // It waits for the acceptor, however long that takes.
      if (!acceptor.auto) await this.#settle()
      while (!closed) {
        this.#answer(Number.POSITIVE_INFINITY)
        await turn()
      }
      await closing
      await this.#settle()
      this.#tell()
      this.#transcript.steps = this.#step
      this.#transcript.releases = acceptor.releases.map(([clientId, messageId]) => ({ clientId, messageId }))
      // A copy for a subscriber that has been hung up on counts as its failure: that depends on the moment.
      this.#transcript.counts = { ...counts(), 'clients.failed': failed }
      return this.#transcript
    } finally {
      for (const { client } of this.#connections) client.destroy()
      acceptor.auto = true
      acceptor.answerAll()
      await server.close()
    }
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'send':
        await this.#send(await this.#connected(step.client), step.client, step.frames, step.cuts)
        return
      case 'answer':
        this.#answer(step.most)
        await this.#settle()
        return
      case 'receive':
        await this.#receive(await this.#connected(step.client))
        return
      case 'end':
        await this.#end(step)
    }
  }

  async #send(
    connection: Connection,
    client: number,
    frames: readonly Frame[],
    cuts: readonly number[],
  ): Promise<void> {
    if (this.#pace === 'frame by frame') {
      const bytes = frames.map((frame) => this.#bytesOf(frame, client, connection))
      await this.#chunks(connection, oneEach(bytes, cuts))
      return
    }
    if (this.#pace === 'one listener after the other') {
      for (const frame of frames) {
        if (frame.kind === 'subscribe' || frame.kind === 'unsubscribe') await this.#drain()
        await this.#chunks(connection, oneEach([this.#bytesOf(frame, client, connection)], cuts))
      }
      return
    }
    let together: Buffer[] = []
    for (const frame of frames) {
      const bytes = this.#bytesOf(frame, client, connection)
      if (frame.kind === 'publish' || frame.kind === 'ping') {
        together.push(bytes)
        continue
      }
      await this.#chunks(connection, cutAt(together, cuts))
      together = []
      await this.#drain()
      await this.#chunks(connection, [bytes])
    }
    await this.#chunks(connection, cutAt(together, cuts))
  }

  async #chunks(connection: Connection, chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      // What waits in the kernel would come as one chunk.
      while (connection.far.isPaused && !connection.client.closed && this.#answer(1)) await this.#settle()
      if (connection.client.closed) return
      connection.client.send(chunk)
      await this.#settle()
    }
  }

  /** Answers up to so many publishes that wait, the oldest first. */
  #answer(most: number): boolean {
    if (this.#acceptor.auto) return false
    const waiting = this.#acceptor.received.filter(({ answered }) => !answered).slice(0, most)
    for (const received of waiting) this.#answerOne(received)
    return waiting.length > 0
  }

  #answerOne(received: Received, error?: Error): void {
    const owner = this.#ownerOf(received)
    if (received.qos === 1 && owner?.ended) this.#transcript.orphans.add(received.text)
    received.done(error)
    if (error !== undefined && owner !== undefined) owner.ended = true
  }

  #ownerOf(received: Received): Connection | undefined {
    return this.#connections.find(({ number }) => received.text.startsWith(`${number}.`))
  }

  async #drain(): Promise<void> {
    await this.#settle()
    while (this.#answer(Number.POSITIVE_INFINITY)) await this.#settle()
  }

  async #receive(connection: Connection): Promise<void> {
    if (this.#pace !== 'frame by frame') await this.#drain()
    const due: Array<[id: number, bytes: Buffer]> = []
    const { packets } = connection.client
    for (; connection.answered < packets.length; connection.answered++) {
      const packet = packets[connection.answered]
      if (packet?.type === PUBREL) due.push([packet.body.readUInt16BE(0), pubcompPacket(packet.body.readUInt16BE(0))])
      const delivery = packet?.type === PUBLISH ? deliveryOf(packet) : null
      if (delivery === null || delivery.qos === 0) continue
      due.push([delivery.id, delivery.qos === 1 ? pubackPacket(delivery.id) : pubrecPacket(delivery.id)])
    }
    due.sort(([a], [b]) => a - b)
    await this.#chunks(
      connection,
      due.map(([, bytes]) => bytes),
    )
  }

  async #end({ client, how, publishes, malformed, next }: Step & { kind: 'end' }): Promise<void> {
    const connection = await this.#connected(client)
    if (this.#pace !== 'frame by frame') await this.#drain()
    if (how === 'refusal' && this.#acceptor.auto) this.#acceptor.refuseWith = storeFull()
    await this.#chunks(
      connection,
      publishes.map((publish) => this.#bytesOf(publish, client, connection)),
    )
    this.#acceptor.refuseWith = null
    this.#openings[client] = next
    switch (how) {
      case 'disconnect':
        await this.#chunks(connection, [disconnectPacket])
        break
      case 'malformed':
        await this.#chunks(connection, [MALFORMED[malformed] ?? disconnectPacket])
        break
      case 'takeover':
        await this.#connect(client)
        break
      case 'close':
        await this.#chunks(connection, [])
        connection.client.destroy()
        break
      case 'reset':
        connection.client.socket.resetAndDestroy()
        break
      case 'refusal': {
        if (this.#acceptor.auto) break
        const waiting = this.#acceptor.received.filter(
          (received) => !received.answered && this.#ownerOf(received) === connection,
        )
        for (const [n, received] of waiting.entries())
          this.#answerOne(received, n === malformed % waiting.length ? storeFull() : undefined)
      }
    }
    await this.#settle()
  }

  async #connected(client: number): Promise<Connection> {
    const connection = this.#current[client]
    return connection === undefined || connection.client.closed ? this.#connect(client) : connection
  }

  async #connect(client: number): Promise<Connection> {
    const { connect, eager } = this.#openings[client] ?? { connect: {}, eager: [] }
    if (this.#pace !== 'frame by frame') await this.#drain()
    const raw = await RawClient.open({ host: '127.0.0.1', port: this.#port })
    raw.socket.setNoDelay(true)
    const port = raw.socket.localPort
    const isFar = (far: FarEnd): boolean => far.remotePort === port
    await vi.waitFor(() => {
      if (!farEnds.some(isFar)) throw new Error('expected the server to accept')
    }, PATIENCE)
    const far = farEnds.find(isFar) as FarEnd
    const number = this.#connections.length
    const connection: Connection = {
      ...{ number, clientId: clientId(client), client: raw, far },
      ...{ told: 0, ended: false, answered: 0 },
    }
    this.#connections.push(connection)
    this.#current[client] = connection
    const will = connect.will && {
      ...connect.will,
      topic: ownTopic(`${connect.will.topic}`, client, connect.will.retain),
    }
    const first = connectPacket({ ...connect, clientId: clientId(client), ...(will && { will }) })
    const more = this.#pace !== 'frame by frame' ? [] : eager
    raw.send(first, ...more.map((frame) => this.#bytesOf(frame, client, connection)))
    await this.#settle()
    return connection
  }

  #bytesOf(frame: Frame, client: number, connection: Connection): Buffer {
    switch (frame.kind) {
      case 'publish':
        return publishPacket({
          ...frame,
          topic: ownTopic(frame.topic, client, frame.retain),
          dup: frame.dup && frame.qos > 0,
          payload: this.#payloadOf(frame, connection),
        })
      case 'ping':
        return pingreqPacket
      case 'subscribe':
        return subscribePacket([frame.filter], frame.qos, 7)
      case 'unsubscribe':
        return unsubscribePacket([frame.filter], 0x0807)
      case 'release':
        return pubrelPacket(frame.id)
    }
  }

  #payloadOf({ qos, size }: Publish, { number }: Connection): string {
    this.#payloads++
    return `${number}.${qos}.${this.#payloads}.`.padEnd(size, '_')
  }

  /** Resolves when everything that was sent, by either side, has had all its effects. */
  async #settle(): Promise<void> {
    const t0 = performance.now()
    T.n++
    try {
      await this.#settle2()
    } finally {
      T.ms += performance.now() - t0
    }
  }
  async #settle2(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    let before = ''
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await turn()
      const now = this.#state()
      quiet = now === before && this.#connections.every(isDelivered) ? quiet + 1 : 0
      before = now
      if (performance.now() > deadline) throw new Error(`expected the server to come to rest: ${now}`)
    }
    for (const connection of this.#connections) if (connection.client.closed) connection.ended = true
  }

  #state(): string {
    const { received, releases } = this.#acceptor
    const connections = this.#connections.map(({ client, far }) =>
      [client.closed, far.destroyed, far.bytesRead, far.bytesWritten, client.socket.bytesRead, far.isPaused].join(),
    )
    return [received.length, releases.length, received.filter(({ answered }) => answered).length, ...connections].join(
      ' ',
    )
  }

  #tell(): void {
    const { seen, accepted } = this.#transcript
    const step = this.#step
    for (const connection of this.#connections) {
      const packets = connection.client.packets.slice(connection.told)
      const ended = connection.client.closed && connection.told !== Number.POSITIVE_INFINITY
      if (packets.length > 0 || ended) seen.push({ step, connection: connection.number, packets, ended })
      connection.told = connection.client.closed ? Number.POSITIVE_INFINITY : connection.client.packets.length
    }
    for (const publish of this.#acceptor.received.slice(accepted.length)) {
      // Who sent it is not said of a plain one.
      const from = publish.clientId || (this.#ownerOf(publish)?.clientId ?? '')
      accepted.push({ step, publish: Object.assign(publish, { clientId: from }) })
    }
  }
}

/** What is retained outlives its moment: each client has topics of its own for that, so that it does not matter who came last. */
const ownTopic = (topic: string, client: number, retain: boolean | undefined): string =>
  retain ? `${topic}/${client}` : topic

/** All that either end has sent has come to the other, unless nobody is there to read it. */
function isDelivered({ client, far }: Connection): boolean {
  const { socket } = client
  if (client.closed || far.destroyed) return (client.closed && far.destroyed) || (client.closed && far.isPaused)
  return (far.isPaused || far.bytesRead === socket.bytesWritten) && socket.bytesRead === far.bytesWritten
}

/** Frames cut so that each chunk has the end of one: the first cut is that of the first frame, and so on. */
function oneEach(frames: readonly Buffer[], cuts: readonly number[]): Buffer[] {
  const ends: number[] = []
  let start = 0
  for (const [n, frame] of frames.entries()) {
    const end = start + frame.length
    const cut = cuts[n] ?? 0
    // The rest of a frame may come with the beginning of the next, but not with all of it.
    const inside = cut % 2 === 0 ? end : start + 1 + (cut % frame.length)
    if (inside === end) ends.push(start)
    ends.push(inside)
    start = end
  }
  return slices(Buffer.concat(frames), ends)
}

function cutAt(frames: readonly Buffer[], cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.concat(frames)
  return slices(
    bytes,
    cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
  )
}

/** The bytes cut at `ends`, in ascending order. */
const slices = (bytes: Buffer, ends: readonly number[]): Buffer[] =>
  [...ends, bytes.length].map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end)).filter((chunk) => chunk.length > 0)

export interface Delivery {
  topic: string
  payload: string
  qos: number
  dup: boolean
  retain: boolean
  id: number
}

/** What a PUBLISH of the server's says. */
export function deliveryOf({ flags, body }: ReceivedPacket): Delivery {
  const end = 2 + body.readUInt16BE(0)
  const qos = (flags >> 1) & 3
  const payload = body.subarray(qos > 0 ? end + 2 : end).toString()
  const id = qos > 0 ? body.readUInt16BE(end) : 0
  const topic = body.toString('utf8', 2, end)
  return { topic, payload, qos, dup: (flags & 8) > 0, retain: (flags & 1) > 0, id }
}
export const T = { n: 0, ms: 0 }
