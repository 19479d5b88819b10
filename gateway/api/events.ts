import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { describeError, type Offset, type ThresholdEvent, UsageError } from '../../sync/contract/index.ts'
import type { LaneSource } from '../../sync/forward/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { Log } from '../observe/index.ts'
import { compilePattern } from '../rules/index.ts'
import { ALIVE_EVERY, growth, joined } from './live.ts'

const BATCH_BYTES = 64 * 1024

export interface EventParts {
  events: LaneSource
  clock: Clock
  log: Log
}

/**
 * Every threshold event as it became durable, in order, at least once, as server-sent events (HTML Living Standard §9.2). The id
 * of each says where to go on: `<epoch of the store>:<offset>`. What is missing (trimmed, damaged, or what a slow reader came too late
 * for) is told as `gap`.
 */
export function eventRoutes({ events: source, clock, log }: EventParts, ended: AbortSignal): Hono {
  const app = new Hono()
  app.get('/', (c) => {
    const { device = '*', rule = '*', type = '*', after } = c.req.query()
    const filters = [compilePattern(device), compilePattern(rule), compilePattern(type)] as const
    const wanted = (event: ThresholdEvent): boolean =>
      filters[0].matches(event.device) && filters[1].matches(event.rule) && filters[2].matches(event.type)
    const start = startOf(c.req.header('last-event-id') ?? after ?? 'end', source)
    return streamSSE(
      c,
      async (stream) => {
        const signal = joined(ended, (abort) => stream.onAbort(abort))
        const idBefore = (offset: Offset): string => `${source.epoch}:${offset - 1}`
        const lost = (gap: { from: Offset; to: Offset }): Promise<void> =>
          stream.writeSSE({
            event: 'gap',
            id: idBefore(gap.to + 1),
            data: JSON.stringify({ from: gap.from, to: gap.to }),
          })
        let { next } = start
        if (start.missing) await lost(start.missing)
        // An id without data moves only the place: whoever loses the connection before the first event goes on from here, too.
        await stream.write(`id: ${idBefore(next)}\n\n`)
        while (!signal.aborted) {
          if (next >= source.head) {
            if (!(await growth(source, next, clock, ALIVE_EVERY, signal)) && !signal.aborted)
              await stream.write(`: still here\nid: ${idBefore(next)}\n\n`)
            continue
          }
          const slice = await source.read(next, BATCH_BYTES)
          const gaps = [...slice.gaps]
          let offset = next
          let told = next
          for (const line of slice.body.toString('utf8').split('\n').slice(0, slice.count)) {
            for (let gap = gaps[0]; gap && gap.from <= offset; gap = gaps[0]) {
              await lost(gap)
              offset = gap.to + 1
              gaps.shift()
            }
            // Awaited: whoever reads slowly is waited for, and costs one slice of memory.
            if (wanted(JSON.parse(line) as ThresholdEvent)) {
              await stream.writeSSE({ id: idBefore(offset + 1), event: 'threshold', data: line })
              told = offset + 1
            }
            offset++
            if (signal.aborted) return
          }
          for (const gap of gaps) await lost(gap)
          next = slice.next
          // Of what was not asked for only the place is told: it must not be gone when the reader comes back.
          if (told < next && gaps.length === 0) await stream.write(`id: ${idBefore(next)}\n\n`)
        }
      },
      // The stream ends, and whoever reads it comes back for the rest.
      async (error) => log.warn({ error: describeError(error) }, 'events could not be read for the API'),
    )
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
