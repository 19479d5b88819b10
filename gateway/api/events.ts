import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { type Offset, type ThresholdEvent, UsageError } from '../../sync/contract/index.ts'
import type { LaneSource } from '../../sync/forward/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import { compilePattern } from '../rules/index.ts'
import { ALIVE_EVERY, growth, joined } from './live.ts'

const BATCH_BYTES = 64 * 1024

/**
 * Every threshold event as it became durable, in order, at least once, as server-sent events (HTML Living Standard §9.2). The id
 * of each says where to go on: `<epoch of the store>:<offset>`.
 */
export function eventRoutes(source: LaneSource, clock: Clock, ended: AbortSignal): Hono {
  const app = new Hono()
  app.get('/', (c) => {
    const { device = '*', rule = '*', type = '*', after } = c.req.query()
    const filters = [compilePattern(device), compilePattern(rule), compilePattern(type)] as const
    const wanted = (event: ThresholdEvent): boolean =>
      filters[0].matches(event.device) && filters[1].matches(event.rule) && filters[2].matches(event.type)
    const start = startOf(c.req.header('last-event-id') ?? after ?? 'end', source)
    return streamSSE(c, async (stream) => {
      const signal = joined(ended, (abort) => stream.onAbort(abort))
      let { next } = start
      // Known from here on: what comes before the first event is not missed when the connection is lost.
      await stream.write(`id: ${source.epoch}:${next - 1}\n\n`)
      if (start.missing) await stream.writeSSE({ event: 'gap', data: JSON.stringify(start.missing) })
      while (!signal.aborted) {
        if (next >= source.head) {
          if (!(await growth(source, next, clock, ALIVE_EVERY, signal)) && !signal.aborted)
            await stream.write(': still here\n\n')
          continue
        }
        const slice = await source.read(next, BATCH_BYTES)
        let offset = next
        for (const line of slice.body.toString('utf8').split('\n')) {
          if (line === '') continue
          while (slice.gaps.some((gap) => gap.from <= offset && offset <= gap.to)) offset++
          const event = JSON.parse(line) as ThresholdEvent
          const id = `${source.epoch}:${offset++}`
          // Awaited: whoever reads slowly is waited for, and costs one slice of memory.
          if (wanted(event)) await stream.writeSSE({ id, event: 'threshold', data: line })
          if (signal.aborted) return
        }
        next = slice.next
      }
    })
  })
  return app
}

interface Start {
  next: Offset
  /** What the reader asked for, and cannot have any more. */
  missing: { from: Offset; to: Offset } | null
}

function startOf(after: string, source: LaneSource): Start {
  const { head, tail, epoch } = source
  if (after === 'end') return { next: head, missing: null }
  if (after === 'start') return { next: tail, missing: null }
  const match = /^([^:]+):(-1|\d+)$/.exec(after)
  if (!match)
    throw new UsageError(
      'API_QUERY',
      `expected 'start', 'end' or the id of an event in after (or Last-Event-ID), got '${after}'`,
    )
  const next = Number(match[2]) + 1
  // Another store: nothing of it is known here, and everything here is new to the reader.
  if (match[1] !== epoch || next > head) return { next: tail, missing: tail > 0 ? { from: 0, to: tail - 1 } : null }
  return next < tail ? { next: tail, missing: { from: next, to: tail - 1 } } : { next, missing: null }
}
