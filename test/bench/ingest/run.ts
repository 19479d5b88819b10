import { setTimeout as delay } from 'node:timers/promises'
import { runLoad } from '../../../simulators/load/index.ts'
import { type Millis, RetryableError } from '../../../sync/contract/index.ts'
import type { BenchOptions } from '../bench.ts'
import type { Contender } from './contenders.ts'
import { DEVICE_NAME, type Effort, type Load } from './loads.ts'
import type { LoopLag } from './loop-lag.ts'
import { ServerMeter, type Usage } from './server-meter.ts'

/** What came of one contender under one load. */
export interface Run extends Usage {
  /** Publishes acknowledged a second. */
  rate: number
  readingsPerPublish: number
  p50: Millis
  p99: Millis
  p999: Millis
  /** Only of ours, and only at a fixed rate. */
  lag: LoopLag | null
  /** What the load generator itself took of the machine, microseconds a publish. */
  generator: number
}

/** Thousands of connections take a server that stores their sessions a while. */
const CONNECT_WITHIN: Millis = 60_000

/**
 * Starts a contender, loads it, and ends it.
 *
 * @throws RetryableError `BENCH_NO_ANSWER` when it acknowledged nothing while it was measured; see also `runLoad`
 */
export function measure(options: BenchOptions, contender: Contender, load: Load, effort: Effort): Promise<Run> {
  const { quick, signal } = options
  const { warmUp, duration } = effort
  return options.scope.within(async (scope) => {
    const server = await contender.start(options, scope, load)
    let meter: ServerMeter | undefined
    const result = await runLoad({
      servers: [{ host: '127.0.0.1', port: server.port }],
      ...load,
      warmUp,
      duration,
      name: DEVICE_NAME,
      connectWithin: CONNECT_WITHIN,
      signal,
      onProgress: ({ acknowledged }) => {
        // The first progress comes when all are connected, just after the first publish.
        meter ??= new ServerMeter(server.pid, warmUp, () => server.lag?.begin())
        meter.progressed(acknowledged)
      },
    })
    signal.throwIfAborted()
    if (result.acksPerSecond === 0) {
      const time = duration - warmUp
      throw new RetryableError('BENCH_NO_ANSWER', `nothing was acknowledged in the ${time} ms after the warm-up`)
    }
    const usage = (await meter?.usage()) ?? { cpu: null, resident: null }
    const lag = (await server.lag?.end()) ?? null
    const { acksPerSecond: rate, readingsPerPublish, latency, cpuMicros: generator } = result
    const { p50, p99, p999 } = latency
    // What one run leaves the disk to write is not the next one's burden.
    await delay(quick ? 300 : 500)
    return { rate, readingsPerPublish, p50, p99, p999, ...usage, lag, generator }
  })
}
