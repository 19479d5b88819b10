import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { encodeLine, type Millis, type Reading, UsageError } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { ReadingTap } from '../observe/index.ts'
import { compilePattern } from '../rules/index.ts'
import { ALIVE_EVERY, joined } from './live.ts'

/** Readings that wait for a reader who is slower than they come. */
const MOST_WAITING = 1000

/** Readings as they come in, as server-sent events; best effort: whoever reads too slowly misses some, and is told how many. */
export function readingRoutes(tap: ReadingTap, clock: Clock, ended: AbortSignal): Hono {
  const app = new Hono()
  app.get('/', (c) => {
    const { device = '*', metric = '*', every = '0' } = c.req.query()
    const [devices, metrics] = [compilePattern(device), compilePattern(metric)]
    const span = Number(every)
    if (!(span >= 0)) throw new UsageError('API_QUERY', `expected milliseconds in every, got '${every}'`)
    return streamSSE(c, async (stream) => {
      const signal = joined(ended, (abort) => stream.onAbort(abort))
      const waiting: Reading[] = []
      const sampler = new Sampler(span)
      let skipped = 0
      let wake: () => void = () => {}
      const stop = tap.listen((reading) => {
        if (!devices.matches(reading.device) || !metrics.matches(reading.metric) || !sampler.takes(reading)) return
        if (waiting.length >= MOST_WAITING) skipped++
        else waiting.push(reading)
        wake()
      })
      signal.addEventListener('abort', () => wake())
      try {
        while (!signal.aborted) {
          if (waiting.length === 0 && skipped === 0) {
            await new Promise<void>((resolve) => {
              const cancel = clock.after(ALIVE_EVERY, resolve)
              wake = () => {
                cancel()
                resolve()
              }
            })
            if (waiting.length === 0 && !signal.aborted) await stream.write(': still here\n\n')
          }
          // Taken together: while it is written, the next ones wait, or are skipped.
          const [batch, missed] = [waiting.splice(0), skipped]
          skipped = 0
          for (const reading of batch) await stream.writeSSE({ event: 'reading', data: encodeLine(reading) })
          if (missed > 0) await stream.write(`: skipped ${missed}\n\n`)
        }
      } finally {
        stop()
      }
    })
  })
  return app
}

/** Lets at most one reading of a series through in a while. */
class Sampler {
  readonly #every: Millis
  readonly #last = new Map<string, Millis>()

  constructor(every: Millis) {
    this.#every = every
  }

  takes({ device, metric, received }: Reading): boolean {
    if (this.#every === 0) return true
    const series = JSON.stringify([device, metric])
    const last = this.#last.get(series)
    if (last !== undefined && received - last < this.#every && received >= last) return false
    this.#last.set(series, received)
    return true
  }
}
