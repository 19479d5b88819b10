import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import type { Millis } from '../../../sync/contract/index.ts'

/** Names the file that the hook writes, in the environment of a gateway. */
export const LAG_FILE = 'BENCH_LOOP_LAG'

/** How often it is looked whether the loop is late: rare enough to cost nothing, often enough for a quantile. */
export const LAG_RESOLUTION: Millis = 5

/** By how much timers of a process were late. */
export interface LoopLag {
  p99: Millis
  max: Millis
}

/** A process whose event loop is watched. */
export interface LagWatch {
  /** For its environment. */
  env: Readonly<Record<string, string>>
  /** From now on. */
  begin(pid: number): void
  /** Up to now. */
  end(pid: number): void
  /** What came of it; once the process has ended. */
  read(): Promise<LoopLag>
}

/** @param file is written when the process ends */
export function lagWatch(file: string): LagWatch {
  const hook = pathToFileURL(`${import.meta.dirname}/loop-hook.js`).href
  const toggle = (pid: number): void => {
    process.kill(pid, 'SIGUSR2')
  }
  return {
    env: { NODE_OPTIONS: `--import=${hook}`, [LAG_FILE]: file },
    begin: toggle,
    end: toggle,
    read: async () => JSON.parse(await readFile(file, 'utf8')) as LoopLag,
  }
}
