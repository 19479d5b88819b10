import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runLoad } from '../../simulators/load/index.ts'
import { buildBacklog } from './backlog.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { drain, startCentre } from './forward.ts'
import { makeGateway, nobody, pidOf } from './gateway.ts'
import { DEVICE_NAME, MANY } from './ingest/loads.ts'
import { formatProfile, noProfiling, type Profiling, profiling, summariseProfile } from './profile.ts'
import type { Scope } from './scope.ts'

/** The program before it was bundled: there, files tell what a function belongs to. */
const UNBUNDLED = resolve(import.meta.dirname, '../../gateway/cli/main.js')

/** The profiler slows down what it watches: numbers come from runs without it (of ingest, from the bench of that load). */
export const cpu: Bench = {
  name: 'cpu',
  summary: 'where the processor time of the gateway goes: profiles of ingest alone and of forwarding alone',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, scope, signal, say, flame } = options
    const dir = await scope.folder()
    const profiles = flame ?? dir
    await mkdir(profiles, { recursive: true })
    const profiled = { ...options, entry: UNBUNDLED }

    const ingest = profiling(join(profiles, 'ingest.cpuprofile'))
    await scope.within((inner) => ingestAlone(profiled, inner, ingest))
    say('ingest, 100 connections x 20 in flight, link cut: shares of the time that the main thread was busy')
    for (const line of formatProfile(await summariseProfile(ingest.file))) say(line)

    const readings = quick ? 1_000_000 : 4_000_000
    const backlog = join(dir, 'backlog')
    say(`making a backlog of ${readings.toLocaleString('en-US')} readings`)
    await buildBacklog(backlog, readings, signal)
    const forwarding = (as: BenchOptions, how: Omit<Profiling, 'file'>) =>
      scope.within(async (inner) =>
        drain(as, inner, { centre: await startCentre(inner, 1), backlog, readings, profiling: how }),
      )
    const forward = await forwarding(options, noProfiling)
    const none = { peer: null, peerName: null }
    if (forward.cpu !== null) yield { bench: 'cpu-forward', unit: 'us/reading', ours: forward.cpu, ...none }
    const forwardProfile = profiling(join(profiles, 'forward.cpuprofile'))
    await forwarding(profiled, forwardProfile)
    say('forwarding of a backlog: shares of the time that the main thread was busy')
    for (const line of formatProfile(await summariseProfile(forwardProfile.file))) say(line)
  },
}

async function ingestAlone(options: BenchOptions, scope: Scope, { env, begin }: Profiling): Promise<void> {
  const { quick, signal } = options
  const gateway = await makeGateway(options, scope, { dir: await scope.folder(), servers: [await nobody()], env })
  await gateway.process.start()
  const pid = pidOf(gateway)
  let begun = false
  await runLoad({
    servers: [{ host: '127.0.0.1', port: gateway.mqttPort }],
    ...MANY,
    duration: quick ? 6_000 : 15_000,
    name: DEVICE_NAME,
    signal,
    onProgress: () => {
      // Connecting is not what it does all day.
      if (!begun) begin(pid)
      begun = true
    },
  })
  await gateway.process.stop()
}
