import { join, resolve } from 'node:path'
import { runLoad } from '../../simulators/load/index.ts'
import { buildBacklog } from './backlog.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { drain, startCentre } from './forward.ts'
import { makeGateway, nobody, pidOf } from './gateway.ts'
import { CONNECTIONS, DEVICE_NAME, IN_FLIGHT } from './ingest/loads.ts'
import { cpuDuring } from './process-usage.ts'
import { formatProfile, noProfiling, type Profiling, profiling, summariseProfile } from './profile.ts'
import type { Scope } from './scope.ts'

/** The program before it was bundled: there, files tell what a function belongs to. */
const UNBUNDLED = resolve(import.meta.dirname, '../../gateway/cli/main.js')

/** The profiler slows down what it watches: numbers come from a run without it. */
export const cpu: Bench = {
  name: 'cpu',
  summary: 'processor time of the gateway a reading, ingest alone and forwarding alone, and where it goes',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, scope, signal, say } = options
    const dir = await scope.folder()
    const none = { peer: null, peerName: null }

    const ingest = await scope.within((inner) => ingestAlone(options, inner, noProfiling))
    if (ingest !== null) yield { bench: 'cpu-ingest', unit: 'us/reading', ours: ingest, ...none }
    const ingestProfile = profiling(join(dir, 'ingest.cpuprofile'))
    const profiled = { ...options, entry: UNBUNDLED }
    await scope.within((inner) => ingestAlone(profiled, inner, ingestProfile))
    say('ingest, by self time of the main thread while it was busy:')
    for (const line of formatProfile(await summariseProfile(ingestProfile.file))) say(line)

    const readings = quick ? 1_000_000 : 4_000_000
    const backlog = join(dir, 'backlog')
    say(`making a backlog of ${readings.toLocaleString('en-US')} readings`)
    await buildBacklog(backlog, readings, signal)
    const forwarding = (as: BenchOptions, how: Omit<Profiling, 'file'>) =>
      scope.within(async (inner) =>
        drain(as, inner, { centre: await startCentre(inner, 1), backlog, readings, profiling: how }),
      )
    const forward = await forwarding(options, noProfiling)
    if (forward.cpu !== null) yield { bench: 'cpu-forward', unit: 'us/reading', ours: forward.cpu, ...none }
    const forwardProfile = profiling(join(dir, 'forward.cpuprofile'))
    await forwarding(profiled, forwardProfile)
    say('forwarding, by self time of the main thread while it was busy:')
    for (const line of formatProfile(await summariseProfile(forwardProfile.file))) say(line)
  },
}

/** Microseconds a reading with the link cut; null where there is no /proc. */
async function ingestAlone(
  options: BenchOptions,
  scope: Scope,
  { env, begin }: Omit<Profiling, 'file'>,
): Promise<number | null> {
  const { quick, signal } = options
  const gateway = await makeGateway(options, scope, { dir: await scope.folder(), servers: [await nobody()], env })
  await gateway.process.start()
  begin(pidOf(gateway))
  const { result, micros } = await cpuDuring(pidOf(gateway), () =>
    runLoad({
      servers: [{ host: '127.0.0.1', port: gateway.mqttPort }],
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT,
      duration: quick ? 6_000 : 15_000,
      name: DEVICE_NAME,
      signal,
    }),
  )
  await gateway.process.stop()
  return micros === null ? null : micros / result.acknowledged
}
