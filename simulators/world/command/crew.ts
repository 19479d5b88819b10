import { type ChildProcess, fork } from 'node:child_process'
import type { Report } from './report.ts'
import type { Wish } from './schedule.ts'

/** What a worker is asked: to live the sites of these seeds. */
export interface Order {
  from: number
  count: number
  wish: Wish
}

/** What it answers, after each order. */
export interface Answer {
  reports: Report[]
}

interface CrewParts {
  jobs: number
  from: number
  seeds: number
  wish: Wish
  /** @returns whether to go on */
  done(reports: readonly Report[]): boolean
  signal: AbortSignal
}

/** Seeds of one order: enough to keep the ways short, few enough to see progress. */
const SHARE = 8

/** Has all seeds lived by processes beside each other; resolves when they are, or when nobody wants to know any more. */
export async function employ({ jobs, from, seeds, wish, done, signal }: CrewParts): Promise<void> {
  let next = from
  let wanted = true
  const end = from + seeds
  const workers: ChildProcess[] = []
  const dismiss = (): void => {
    wanted = false
    for (const worker of workers) worker.kill()
  }
  signal.addEventListener('abort', dismiss)
  const employOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(WORKER, { execArgv: [...NODE_OPTIONS] })
      workers.push(worker)
      const give = (): void => {
        const order: Order = { from: next, count: Math.min(SHARE, end - next), wish }
        next += order.count
        if (wanted && order.count > 0) worker.send(order)
        else worker.kill()
      }
      worker.on('message', ({ reports }: Answer) => {
        if (wanted && !done(reports)) dismiss()
        if (wanted) give()
      })
      worker.on('error', reject)
      worker.on('exit', (code) => {
        if (code === null || code === 0 || !wanted) resolve()
        else reject(new Error(`a worker ended with exit code ${code}, while it lived a seed before ${next}`))
      })
      give()
    })
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, Math.ceil(seeds / SHARE)) }, employOne))
  } finally {
    signal.removeEventListener('abort', dismiss)
    dismiss()
  }
}

const isCompiled = import.meta.url.endsWith('.js')
const WORKER = new URL(isCompiled ? './worker.js' : './worker.ts', import.meta.url)
/** Sites make many errors that nobody looks at the origin of, and much garbage that is gone at once. */
const NODE_OPTIONS = [
  ...(isCompiled ? [] : ['--import', 'tsx/esm']),
  '--stack-trace-limit=0',
  '--max-semi-space-size=32',
]
