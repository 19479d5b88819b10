import { setTimeout as delay } from 'node:timers/promises'
import { runLoad } from '../../simulators/load/index.ts'
import { buildBacklog } from './backlog.ts'
import type { Bench, BenchOptions, Measurement } from './bench.ts'
import { type BenchGateway, makeGateway, nobody, pidOf } from './gateway.ts'
import { CONNECTIONS, DEVICE_NAME, IN_FLIGHT } from './ingest/loads.ts'
import { type Memory, memoryOf } from './process-usage.ts'
import { median } from './statistics.ts'

const LOAD_RATE = 5_000
const SAMPLES = 20
const SAMPLE_EVERY = 100

interface Step {
  bench: string
  backlog: number
}

export const memory: Bench = {
  name: 'memory',
  summary: 'resident memory and start-up time of a gateway whose link is cut, with ever more readings buffered',
  async *run(options): AsyncIterable<Measurement> {
    const { quick, scope, say } = options
    const steps: Step[] = [
      { bench: 'memory-empty', backlog: 0 },
      { bench: 'memory-backlog', backlog: 1_000_000 },
      { bench: 'memory-full', backlog: quick ? 2_000_000 : 10_000_000 },
    ]
    const dir = await scope.folder()
    const totals: number[] = []
    let built = 0
    let starts = { clean: 0, killed: 0 }
    for (const { bench, backlog } of steps) {
      if (backlog > built) {
        say(`making a backlog of ${backlog.toLocaleString('en-US')} readings`)
        await buildBacklog(dir, backlog - built, options.signal, built)
        built = backlog
      }
      const seen = await measure(options, dir)
      starts = seen.starts
      say(
        `${backlog.toLocaleString('en-US')} buffered, ${LOAD_RATE.toLocaleString('en-US')} readings/s coming in: ${describe(seen.loaded)}; ` +
          `idle after a restart: ${describe(seen.idle)}; start ${Math.round(starts.clean)} ms, after kill -9 ${Math.round(starts.killed)} ms`,
      )
      if (seen.loaded === null) continue
      totals.push(seen.loaded.total)
      yield { bench, unit: `MB, ${short(backlog)} buffered`, ours: seen.loaded.total, peer: null, peerName: null }
    }
    const growth = Math.max(...totals) - Math.min(...totals)
    if (totals.length > 0) yield { bench: 'memory-growth', unit: 'MB', ours: growth, peer: null, peerName: null }
    const slowest = Math.max(starts.clean, starts.killed)
    yield { bench: 'memory-start', unit: `ms, ${short(built)} buffered`, ours: slowest, peer: null, peerName: null }
  },
}

interface Seen {
  /** While readings come in. */
  loaded: Memory | null
  /** Right after a restart. */
  idle: Memory | null
  /** From the start of the process until it says that it takes readings. */
  starts: { clean: number; killed: number }
}

async function measure(options: BenchOptions, dir: string): Promise<Seen> {
  const { quick, signal } = options
  return await options.scope.within(async (scope) => {
    const gateway = await makeGateway(options, scope, { dir, servers: [await nobody()] })
    const clean = await timeToStart(gateway)
    const load = runLoad({
      servers: [{ host: '127.0.0.1', port: gateway.mqttPort }],
      connections: CONNECTIONS,
      inFlight: IN_FLIGHT,
      rate: LOAD_RATE,
      duration: quick ? 8_000 : 20_000,
      name: DEVICE_NAME,
      signal,
    })
    const [loaded] = await Promise.all([
      delay(quick ? 5_500 : 17_000, undefined, { signal }).then(() => sample(gateway)),
      load,
    ])
    await gateway.process.kill('SIGKILL')
    const killed = await timeToStart(gateway)
    const idle = await memoryOf(pidOf(gateway))
    await gateway.process.stop()
    return { loaded, idle, starts: { clean, killed } }
  })
}

async function timeToStart({ process: gateway }: BenchGateway): Promise<number> {
  const began = performance.now()
  await gateway.start()
  return performance.now() - began
}

/** The median over two seconds: a heap breathes. */
async function sample(gateway: BenchGateway): Promise<Memory | null> {
  const samples: Memory[] = []
  for (let i = 0; i < SAMPLES; i++) {
    const now = await memoryOf(pidOf(gateway))
    if (now === null) return null
    samples.push(now)
    await delay(SAMPLE_EVERY)
  }
  const of = (key: keyof Memory): number => median(samples.map((one) => one[key]))
  return { total: of('total'), anonymous: of('anonymous'), file: of('file') }
}

const describe = (memory: Memory | null): string =>
  memory === null
    ? 'unknown (no /proc)'
    : `${memory.total.toFixed(0)} MB resident (${memory.anonymous.toFixed(0)} anonymous, ${memory.file.toFixed(0)} file)`

const short = (count: number): string => (count === 0 ? 'none' : `${count / 1e6} million`)
