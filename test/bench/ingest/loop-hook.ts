import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
import { LAG_FILE, LAG_RESOLUTION, type LoopLag } from './loop-lag.ts'

/**
 * Loaded into a gateway before its own code (`NODE_OPTIONS=--import=...`): watches its event loop between a first and a second
 * SIGUSR2, and writes at its end how late that was.
 */
const file = process.env[LAG_FILE]
if (file === undefined) throw new Error(`${LAG_FILE}: expected the path of the file to write, it is not set`)
// The variable is inherited by worker threads, whose loops nobody asked about.
if (isMainThread) watch(file)

function watch(path: string): void {
  const delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION })
  // What the histogram holds is the time between two runs of its timer, in nanoseconds.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LAG_RESOLUTION)
  let times = 0
  process.on('SIGUSR2', () => {
    if (++times === 1) delays.enable()
    else delays.disable()
  })
  process.on('exit', () => {
    const lag: LoopLag = { p99: late(delays.percentile(99)), max: late(delays.max) }
    writeFileSync(path, JSON.stringify(lag))
  })
}
