import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { type Millis, UsageError } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import { DURATION_FORM, parseDuration } from '../config/index.ts'
import type { Handover } from '../handover.ts'
import { jsonBody } from './body.ts'
import { failureOf } from './failure.ts'

export interface HandoverParts {
  handover: Handover
  /** The process is to end. */
  end(): void
  clock: Clock
}

const bodySchema = z.strictObject({ timeout: z.string().optional(), stop: z.boolean().optional() })

const USUAL_TIMEOUT = '10m'
/** Until the last word is out. */
const BEFORE_END: Millis = 250

/** Planned work: everything goes to the peers, and devices are taken again. */
export function handoverRoutes({ handover, end, clock }: HandoverParts): Hono {
  const app = new Hono()
  app.get('/', (c) => c.json(handover.status()))
  app.delete('/', (c) => c.json({ cancelled: handover.cancel() }))
  app.post('/', async (c) => {
    const body = bodySchema.safeParse(await jsonBody(c))
    const timeout = parseDuration(body.data?.timeout ?? USUAL_TIMEOUT)
    if (!body.success || timeout === null)
      throw new UsageError(
        'API_BODY',
        `expected {"timeout": DURATION, "stop": true or false}, both optional; ${DURATION_FORM}`,
      )
    handover.assertPossible()
    const { stop = false } = body.data
    return streamSSE(c, async (stream) => {
      // Whoever asked for it is gone: nobody would know that nothing is taken here any more.
      const gone = new AbortController()
      stream.onAbort(() => gone.abort())
      const say = (event: string, data: object): Promise<void> => stream.writeSSE({ event, data: JSON.stringify(data) })
      try {
        const progress = (): void => void say('progress', handover.status())
        const report = await handover.begin(timeout, gone.signal, progress)
        await say('done', { ...report, stops: stop })
        if (stop) clock.after(BEFORE_END, end)
      } catch (error) {
        await say('failed', failureOf(error).body)
      }
    })
  })
  return app
}
