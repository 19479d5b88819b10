import { Hono } from 'hono'
import { z } from 'zod'
import { UsageError } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { AlarmDesk } from '../alarms/index.ts'
import { parseDuration } from '../config/index.ts'
import type { Action, AlarmState } from '../rules/index.ts'
import { jsonBody } from './body.ts'

const words = z.string().max(500).optional()

const actSchema = z.strictObject({
  device: z.string().min(1),
  rule: z.string().min(1),
  action: z.enum([
    'acknowledge',
    'reset',
    'shelve',
    'unshelve',
    'suppress',
    'unsuppress',
    'removeFromService',
    'returnToService',
  ]),
  for: z.string().optional(),
  by: words,
  comment: words,
})

/** What can be asked for; the compiler sees to it that none is forgotten. */
const STATES: ReadonlySet<string> = new Set(
  Object.keys({
    all: 0,
    normal: 0,
    unacknowledged: 0,
    acknowledged: 0,
    returned: 0,
    latched: 0,
    shelved: 0,
    suppressed: 0,
    outOfService: 0,
  } satisfies Record<AlarmState | 'all', 0>),
)

type Act = z.output<typeof actSchema>

/** Alarms: list them, and do something to one. */
export function alarmRoutes(desk: AlarmDesk, clock: Clock): Hono {
  const app = new Hono()
  app.get('/', (c) => {
    const { device, rule, state } = c.req.query()
    if (state !== undefined && !STATES.has(state))
      throw new UsageError('API_QUERY', `expected one of ${[...STATES].join(', ')} in state, got '${state}'`)
    return c.json(desk.list({ device, rule, state }))
  })
  app.post('/act', async (c) => {
    const body = actSchema.safeParse(await jsonBody(c))
    if (!body.success)
      throw new UsageError(
        'API_BODY',
        body.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; '),
      )
    const { device, rule, by = null, comment = null } = body.data
    const action = actionOf(body.data, clock)
    const until = action.kind === 'shelve' ? { until: action.until } : {}
    return c.json(await desk.act(device, rule, action, { by, comment, ...until }))
  })
  return app
}

function actionOf({ action, for: time }: Act, clock: Clock): Action {
  if (action !== 'shelve') {
    if (time !== undefined) throw new UsageError('API_BODY', `for: only shelving ends by itself, not ${action}`)
    return { kind: action }
  }
  const span = time === undefined ? null : parseDuration(time)
  if (span === null || span <= 0) throw new UsageError('API_BODY', "for: expected how long it is shelved, e.g. '1h'")
  return { kind: 'shelve', until: clock.now() + span }
}
