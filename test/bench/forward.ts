import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type CentralCluster, type CentralServer, startCentral, startCluster } from '../../simulators/central/index.ts'
import { encodeLine, STREAMS } from '../../sync/contract/index.ts'
import { buildBacklog } from './backlog.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { makeGateway, pidOf } from './gateway.ts'
import { observe, packsIn, publishAll, storedPerSecond } from './jetstream.ts'
import { cpuDuring } from './process-usage.ts'
import { noProfiling, type Profiling } from './profile.ts'
import type { Scope } from './scope.ts'
import { compare } from './statistics.ts'

type Replicas = 1 | 3

interface Centre {
  urls: readonly string[]
  stop(): Promise<void>
  /** Starts it (again) on the same ports. */
  start(): Promise<void>
}

export const forwardR1 = forwardBench('forward-r1', 1)
export const forwardR3 = forwardBench('forward-r3', 3)

function forwardBench(name: string, replicas: Replicas): Bench {
  return {
    name,
    summary: `a backlog in LevelDB into a stream with ${replicas === 1 ? 'one copy' : 'three copies'}, beside js.publish`,
    async *run(options): AsyncIterable<Measurement> {
      const { quick, scope, say } = options
      const readings = quick ? 1_000_000 : 2_000_000
      const rounds = quick ? 2 : 5
      const backlog = await scope.folder()
      say(`making a backlog of ${readings.toLocaleString('en-US')} readings`)
      await buildBacklog(backlog, readings, options.signal)
      const results: Round[] = []
      for (let round = 1; round <= rounds; round++) {
        const result = await scope.within((inner) => oneRound(options, inner, { backlog, readings, replicas }))
        say(`round ${round}/${rounds}: ${describe(result)}`)
        results.push(result)
      }
      const beside = (peer: (round: Round) => number) =>
        compare(results.map((round) => ({ ours: round.ours, peer: peer(round) })))
      const unit = 'readings/s'
      yield { bench: name, unit, ...beside(({ singles }) => singles), peerName: 'js.publish one by one, 256 in flight' }
      yield {
        bench: `${name}-untraced`,
        unit,
        ...beside(({ untraced }) => untraced),
        peerName: 'the same, noAsyncTraces',
      }
      yield {
        bench: `${name}-packs`,
        unit,
        ...beside(({ packs }) => packs),
        peerName: 'js.publish of ready-made packs from memory, one in flight',
      }
    },
  }
}

interface Round {
  ours: number
  singles: number
  untraced: number
  packs: number
  packSize: number
  cpu: number | null
}

const describe = ({ ours, singles, untraced, packs, packSize, cpu }: Round): string => {
  const rate = (value: number): string => Math.round(value).toLocaleString('en-US')
  return (
    `tidegate ${rate(ours)}/s in packs of ${rate(packSize)} (${cpu === null ? '?' : cpu.toFixed(2)} us CPU a reading), ` +
    `js.publish ${rate(singles)}/s (${rate(untraced)}/s untraced), ready-made packs ${rate(packs)}/s`
  )
}

async function oneRound(
  options: BenchOptions,
  scope: Scope,
  { backlog, readings, replicas }: { backlog: string; readings: number; replicas: Replicas },
): Promise<Round> {
  const { quick, signal } = options
  const centre = await startCentre(scope, replicas)
  const drained = await scope.within((inner) => drain(options, inner, { centre, backlog, readings }))

  const single = readingBytes(0)
  const size = Math.round(drained.packSize)
  const pack = Buffer.concat(Array.from({ length: size }, (_, index) => readingBytes(index)))
  const publish = async (stream: string, body: Uint8Array, count: number, inFlight: number, noAsyncTraces: boolean) => {
    const observer = await observe(scope, centre.urls, noAsyncTraces)
    await observer.manager.streams.add({ name: stream, subjects: [`${stream}.>`], num_replicas: replicas })
    await publishAll(observer, { subject: `${stream}.gw`, body: () => body, count, inFlight, signal })
    const each = body === pack ? size : 1
    const rate = await storedPerSecond(observer, stream, count * each, each)
    await observer.manager.streams.delete(stream)
    await observer.connection.close()
    return rate
  }
  const singles = quick ? 50_000 : 100_000
  return {
    ...drained,
    singles: await publish('SINGLES', single, singles, 256, false),
    untraced: await publish('UNTRACED', single, singles, 256, true),
    packs: await publish('PACKS', pack, Math.ceil(readings / size), 1, true),
  }
}

/**
 * Starts a gateway on a copy of the backlog while the centre is away, lets the centre come back, and waits until all is
 * there. The rate is that between the first and the last pack, by the server's time stamps.
 */
export async function drain(
  options: BenchOptions,
  scope: Scope,
  {
    centre,
    backlog,
    readings,
    profiling = noProfiling,
  }: {
    centre: Centre
    backlog: string
    readings: number
    profiling?: Omit<Profiling, 'file'>
  },
): Promise<{ ours: number; packSize: number; cpu: number | null }> {
  const dir = join(await scope.folder(), 'gateway')
  await cp(backlog, dir, { recursive: true })
  await centre.stop()
  const gateway = await makeGateway(options, scope, { dir, servers: centre.urls, env: profiling.env })
  await gateway.process.start()
  profiling.begin(pidOf(gateway))
  const { micros } = await cpuDuring(pidOf(gateway), async () => {
    await centre.start()
    await gateway.process.waitFor((status) => status?.outbox.lanes.readings.forwarded === readings, 120_000)
  })
  const observer = await observe(scope, centre.urls)
  const { packs, readings: stored, inFirst } = await packsIn(observer)
  if (stored !== readings) throw new Error(`expected ${readings} readings in the stream, found ${stored}`)
  const ours = await storedPerSecond(observer, STREAMS.readings, readings, inFirst)
  await gateway.process.stop()
  await observer.manager.streams.delete(STREAMS.readings)
  return { ours, packSize: readings / packs, cpu: micros === null ? null : micros / readings }
}

export async function startCentre(scope: Scope, replicas: Replicas): Promise<Centre> {
  const dir = await scope.folder()
  const central: CentralServer | CentralCluster =
    replicas === 1 ? await startCentral({ dir }) : await startCluster({ dir })
  await scope.defer(() => central.stop())
  return {
    urls: 'urls' in central ? central.urls : [central.url],
    stop: () => central.stop(),
    start: () => central.restart(),
  }
}

/** A reading as the gateway stores and forwards it, with the newline. */
export function readingBytes(index: number): Buffer {
  const time = 1_700_000_000_000 + index
  return Buffer.from(
    `${encodeLine({
      device: 'temperature-sensor-1001',
      metric: 'temperature',
      value: 20.125 + (index % 1000) / 1000,
      unit: 'Cel',
      time,
      received: time,
      seq: 1_000_000_000 + index,
      session: '0123abcd',
    })}\n`,
  )
}
