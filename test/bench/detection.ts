import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import mqtt from 'mqtt'
import { GatewayApi } from '../../flows/api/index.ts'
import { startFlows } from '../../flows/index.ts'
import { freePorts, startCentral } from '../../simulators/central/index.ts'
import { runLoad } from '../../simulators/load/index.ts'
import type { ThresholdEvent } from '../../sync/contract/index.ts'
import { systemClock, systemRandom } from '../../sync/runtime/index.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { makeGateway } from './gateway.ts'
import { mosquittoVersion, startMosquitto } from './peers/mosquitto.ts'
import type { Scope } from './scope.ts'

/** Readings a second of other devices, all the while. */
const BACKGROUND = 1000
/** One value beyond the limit, one within, and so on. */
const EVERY = 20

const RULES = { rules: [{ id: 'high', match: { device: 'probe' }, above: 50 }] }

/** What says that an alarm has been detected. */
type Detector = (options: BenchOptions, scope: Scope, detected: (value: number) => void) => Promise<number>

/** The gateway: when the event, durable with its reading, is handed out. */
const tidegate: Detector = async (options, scope, detected) => {
  const central = await startCentral({ dir: await scope.folder() })
  await scope.defer(() => central.stop())
  const dir = await scope.folder()
  const gateway = await makeGateway(options, scope, { dir, servers: [central.url], rules: RULES })
  await gateway.process.start()
  const api = new GatewayApi(join(dir, 'outbox', 'api.json'), systemClock)
  const ended = new AbortController()
  await scope.defer(async () => ended.abort())
  await new Promise<void>((opened, failed) => {
    void (async () => {
      for await (const message of api.stream('/events', { device: 'probe' }, ended.signal, opened)) {
        if (message.event !== 'threshold') continue
        const { data } = JSON.parse(message.data) as ThresholdEvent
        detected((data['reading'] as { value: number }).value)
      }
    })().catch(failed)
  })
  return gateway.mqttPort
}

/** Only Node-RED: a function node behind an MQTT broker. Nothing is durable, and its alarms are gone with it. */
const nodeRed: Detector = async (_, scope, detected) => {
  const { port: broker } = await startMosquitto(scope)
  const [port = 0] = await freePorts(1, systemRandom)
  const dir = await scope.folder()
  let login = { user: '', password: '' }
  const flows = await startFlows({
    userDir: join(dir, 'flows'),
    apiFile: join(dir, 'api.json'),
    port,
    example: null,
    log: () => undefined,
    onPassword: (fresh) => {
      login = fresh
    },
    clock: systemClock,
    random: systemRandom,
  })
  await scope.defer(() => flows.stop())
  while (flows.status().process !== 'up') await delay(50)
  await deploy(flows.url, login, broker)
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker}`)
  await scope.defer(() => client.endAsync(true))
  client.on('message', (_topic, payload) => detected(Number(payload.toString())))
  await client.subscribeAsync('alarms', { qos: 1 })
  await delay(1000)
  return broker
}

async function deploy(
  url: string,
  { user, password }: { user: string; password: string },
  broker: number,
): Promise<void> {
  const json = { 'content-type': 'application/json' }
  const login = { client_id: 'node-red-admin', grant_type: 'password', scope: '*', username: user, password }
  const answer = await fetch(`${url}/auth/token`, { method: 'POST', headers: json, body: JSON.stringify(login) })
  const { access_token } = (await answer.json()) as { access_token: string }
  // The same rule with hysteresis of its own state, for every device: the flow sees all readings, as the gateway does.
  const decide = `
    const device = msg.topic.split('/')[1]
    const value = typeof msg.payload === 'object' ? msg.payload.value : Number(msg.payload)
    const before = context.get(device) === true
    const now = device === 'probe' && value > 50
    if (now === before) return null
    context.set(device, now)
    return { payload: String(value) }`
  const place = { z: 't', x: 100, y: 100 }
  const nodes = [
    { id: 't', type: 'tab', label: 't' },
    {
      id: 'b',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: String(broker),
      protocolVersion: '4',
      autoConnect: true,
    },
    {
      ...place,
      id: 'in',
      type: 'mqtt in',
      topic: 'sensors/#',
      qos: '1',
      datatype: 'auto-detect',
      broker: 'b',
      wires: [['f']],
    },
    { ...place, id: 'f', type: 'function', func: decide, outputs: 1, libs: [], wires: [['out']] },
    { ...place, id: 'out', type: 'mqtt out', topic: 'alarms', qos: '1', broker: 'b', wires: [] },
  ]
  const headers = { ...json, authorization: `Bearer ${access_token}` }
  const deployed = await fetch(`${url}/flows`, { method: 'POST', headers, body: JSON.stringify(nodes) })
  if (!deployed.ok) throw new Error(`Node-RED did not take the flow: ${await deployed.text()}`)
}

/** Milliseconds from PUBLISH to detection, sorted. */
async function latencies(options: BenchOptions, scope: Scope, detector: Detector): Promise<number[]> {
  const { quick, signal } = options
  const sent = new Map<number, number>()
  const found: number[] = []
  const port = await detector(options, scope, (value) => {
    const at = sent.get(value)
    if (at !== undefined) found.push(performance.now() - at)
    sent.delete(value)
  })
  const duration = quick ? 6000 : 30_000
  const background = runLoad({
    servers: [{ host: '127.0.0.1', port }],
    connections: 50,
    inFlight: 20,
    rate: BACKGROUND,
    duration,
    name: 'other',
    signal,
  })
  const probe = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`)
  await delay(1000)
  const until = performance.now() + duration - 2000
  for (let n = 0; performance.now() < until && !signal.aborted; n++) {
    // Every value once, so that each alarm is known by its own.
    const value = n % 2 === 0 ? 100 + n : -n
    sent.set(value, performance.now())
    probe.publish('sensors/probe/level', String(value), { qos: 1 })
    await delay(EVERY)
  }
  await background
  await probe.endAsync(true)
  signal.throwIfAborted()
  if (sent.size > 2) options.say(`${sent.size} of ${sent.size + found.length} were not detected`)
  return found.sort((one, other) => one - other)
}

const at = (sorted: readonly number[], fraction: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN

export const detection: Bench = {
  name: 'detection',
  summary:
    'From PUBLISH to the alarm, with 1,000 other readings a second: ours when it is durable, beside a flow in Node-RED alone',
  async *run(options): AsyncIterable<Measurement> {
    const { scope, say } = options
    const ours = await scope.within((inner) => latencies(options, inner, tidegate))
    const version = await mosquittoVersion()
    if (version === null) say('mosquitto is not installed (apt-get install mosquitto): no flow to compare with')
    const peer = version === null ? null : await scope.within((inner) => latencies(options, inner, nodeRed))
    const peerName = peer && 'a function node in Node-RED behind mosquitto: nothing durable'
    say(`${ours.length} alarms here, ${peer?.length ?? 'none'} there`)
    for (const [name, fraction] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const)
      yield {
        bench: `detection-${name}`,
        unit: 'ms',
        ours: at(ours, fraction),
        peer: peer && at(peer, fraction),
        peerName,
      }
  },
}
