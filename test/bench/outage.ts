import { setTimeout as delay } from 'node:timers/promises'
import { startCentral } from '../../simulators/central/index.ts'
import { FaultProxy } from '../../simulators/faults/index.ts'
import { Ledger, natsCentral, verify } from '../../simulators/ledger/index.ts'
import { type LoadResult, recordLoad, runLoad } from '../../simulators/load/index.ts'
import { HEADERS, type Millis, STREAMS } from '../../sync/contract/index.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { makeGateway } from './gateway.ts'
import { CONNECTIONS, DEVICE_NAME, IN_FLIGHT } from './ingest/loads.ts'
import { type Observer, observe } from './jetstream.ts'
import { HUB_STREAM, startEdgeNats } from './peers/edge-nats.ts'
import type { Scope } from './scope.ts'

const LOAD_RATE = 5_000
const BEFORE: Millis = 5_000
const LOOK_EVERY: Millis = 10
/** Caught up: the centre has all but what was acknowledged within so long. */
const CAUGHT_UP: Millis = 1_000
const GIVE_UP: Millis = 180_000

/** A site under load behind a link that can be cut. */
interface Side {
  mqttPort: number
  link: FaultProxy
  /** Readings in the central stream. */
  arrived(): Promise<number>
  /** Compares what was acknowledged with what the centre has. */
  audit(load: LoadResult): Promise<{ lost: number; doubled: number }>
}

interface Outcome {
  /** From the moment that the link was back. */
  first: Millis
  caughtUp: Millis
  lost: number
  doubled: number
}

export const outage: Bench = {
  name: 'outage',
  summary: 'a link that is cut at 5,000 readings/s and comes back, beside nats-server as MQTT edge and leaf node',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, scope, say } = options
    const cut = quick ? 10_000 : 30_000
    const go = async (name: string, start: (options: BenchOptions, scope: Scope) => Promise<Side>) => {
      const outcome = await scope.within(async (inner) => measure(options, await start(options, inner), cut))
      const { first, caughtUp, lost, doubled } = outcome
      say(`${name}: first reading ${first} ms after, caught up ${caughtUp} ms after, lost ${lost}, doubled ${doubled}`)
      return outcome
    }
    const ours = await go('tidegate', tidegate)
    const peer = await go('edge nats-server', edgeNats)
    const peerName = 'edge nats-server: MQTT, leaf node, sourced stream'
    const unit = `after a cut of ${cut / 1000} s`
    yield { bench: 'outage-first', unit: `ms ${unit}`, ours: ours.first, peer: peer.first, peerName }
    yield { bench: 'outage-caught-up', unit: `ms ${unit}`, ours: ours.caughtUp, peer: peer.caughtUp, peerName }
    yield { bench: 'outage-lost', unit: 'readings', ours: ours.lost, peer: peer.lost, peerName }
    yield { bench: 'outage-doubled', unit: 'readings', ours: ours.doubled, peer: peer.doubled, peerName }
  },
}

async function tidegate(options: BenchOptions, scope: Scope): Promise<Side> {
  const central = await startCentral({ dir: await scope.folder() })
  await scope.defer(() => central.stop())
  const link = await FaultProxy.listen({ target: { port: central.port }, protocol: 'nats' })
  await scope.defer(() => link.close())
  const servers = [`nats://127.0.0.1:${link.port}`]
  const gateway = await makeGateway(options, scope, { dir: await scope.folder(), servers })
  await gateway.process.start()
  await gateway.process.waitFor((status) => status?.link.link === 'up', 10_000)
  const observer = await observe(scope, [central.url])
  return {
    mqttPort: gateway.mqttPort,
    link,
    arrived: () => lastOffset(observer),
    async audit(load) {
      const ledger = new Ledger({ startedAt: 0 })
      recordLoad(ledger, load)
      const { total } = await verify(ledger, natsCentral(observer.connection), { settle: 1000 })
      return { lost: total.lost, doubled: total.doubled }
    },
  }
}

async function edgeNats(_: BenchOptions, scope: Scope): Promise<Side> {
  const { hub, link, mqttPort } = await startEdgeNats(scope)
  const observer = await observe(scope, [hub.url])
  return {
    mqttPort,
    link,
    arrived: async () => (await observer.manager.streams.info(HUB_STREAM)).state.messages,
    audit: (load) => auditSingles(observer, load),
  }
}

/** Readings that a gateway's packs cover so far, by the newest one. */
async function lastOffset({ manager }: Observer): Promise<number> {
  const { state } = await manager.streams.info(STREAMS.readings)
  if (state.messages === 0) return 0
  const newest = await manager.streams.getMessage(STREAMS.readings, { seq: state.last_seq })
  return Number(newest?.header.get(HEADERS.to) ?? -1) + 1
}

/** The same question to a stream of single readings: which of the acknowledged ones are there, and how often. */
async function auditSingles(observer: Observer, load: LoadResult): Promise<{ lost: number; doubled: number }> {
  const seen = new Map(load.devices.map(({ device, sent }) => [device, new Uint8Array(sent)]))
  let doubled = 0
  const firstSeq = load.devices[0]?.firstSeq ?? 0
  for await (const { body } of natsCentral(observer.connection).read(HUB_STREAM, 1)) {
    const { device, seq } = JSON.parse(Buffer.from(body).toString()) as { device: string; seq: number }
    const counts = seen.get(device)
    if (!counts) continue
    const times = (counts[seq - firstSeq] ?? 0) + 1
    counts[seq - firstSeq] = times
    if (times > 1) doubled++
  }
  let lost = 0
  for (const { device, acknowledged } of load.devices)
    for (const times of seen.get(device)?.subarray(0, acknowledged) ?? []) if (times === 0) lost++
  return { lost, doubled }
}

async function measure({ signal }: BenchOptions, side: Side, cut: Millis): Promise<Outcome> {
  const enough = new AbortController()
  let acknowledged = 0
  const load = runLoad({
    servers: [{ host: '127.0.0.1', port: side.mqttPort }],
    connections: CONNECTIONS,
    inFlight: IN_FLIGHT,
    rate: LOAD_RATE,
    duration: BEFORE + cut + GIVE_UP,
    name: DEVICE_NAME,
    signal: AbortSignal.any([signal, enough.signal]),
    onProgress: (progress) => {
      acknowledged = progress.acknowledged
    },
  })
  try {
    await delay(BEFORE, undefined, { signal })
    const release = await side.link.cut()
    await delay(cut, undefined, { signal })
    const there = await side.arrived()
    await release()
    const healed = performance.now()
    const until = async (arrivedEnough: (arrived: number) => boolean): Promise<Millis> => {
      for (;;) {
        signal.throwIfAborted()
        if (arrivedEnough(await side.arrived())) return Math.round(performance.now() - healed)
        if (performance.now() - healed > GIVE_UP) return Number.POSITIVE_INFINITY
        await delay(LOOK_EVERY)
      }
    }
    const first = await until((arrived) => arrived > there)
    const caughtUp = await until((arrived) => arrived >= acknowledged - (LOAD_RATE * CAUGHT_UP) / 1000)
    enough.abort()
    const result = await load
    await until((arrived) => arrived >= result.acknowledged)
    return { first, caughtUp, ...(await side.audit(result)) }
  } finally {
    enough.abort()
    await load
  }
}
