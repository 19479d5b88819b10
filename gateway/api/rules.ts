import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { UsageError } from '../../sync/contract/index.ts'
import { type AlarmDesk, FILE_SET } from '../alarms/index.ts'
import { explained } from '../rules/index.ts'
import { jsonBody } from './body.ts'

const USUAL_SET = 'main'

/** Rule sets: read, replace, explain. */
export function ruleRoutes(desk: AlarmDesk): Hono {
  const app = new Hono()
  const setOf = (c: Context): string => c.req.query('set') ?? USUAL_SET
  app.get('/', (c) => {
    const { given, revision } = desk.rules(setOf(c))
    c.header('ETag', `"${revision}"`)
    return c.json(given as object)
  })
  app.put('/', async (c) => {
    const set = setOf(c)
    if (set === FILE_SET)
      throw new UsageError(
        'RULES_SET_FILE',
        `rule set '${FILE_SET}' follows the configured file; change that, or use another set`,
      )
    const { revision, changed } = await desk.putRules({
      set,
      given: await jsonBody(c),
      ifRevision: revisionOf(c.req.header('if-match')),
    })
    c.header('ETag', `"${revision}"`)
    return c.json({ revision, changed })
  })
  app.get('/sets', (c) => c.json(desk.sets()))
  app.get('/explain', (c) => {
    const { device, metric, labels } = c.req.query()
    if (!device || !metric) throw new UsageError('API_QUERY', 'expected ?device=NAME&metric=NAME')
    return c.json(desk.explain(device, metric, labelsOf(labels)).map(explained))
  })
  return app
}

const labelsSchema = z.record(z.string(), z.string())

/** Labels as they are written in a query: a JSON object. */
function labelsOf(query: string | undefined): Record<string, string> | undefined {
  if (query === undefined) return undefined
  try {
    return labelsSchema.parse(JSON.parse(query))
  } catch (cause) {
    throw new UsageError('API_QUERY', `expected labels as a JSON object of strings, got '${query}'`, { cause })
  }
}

/** An entity tag as it is written in If-Match (RFC 9110 §13.1.1); null when any will do. */
function revisionOf(header: string | undefined): string | null {
  if (header === undefined || header.trim() === '*') return null
  const match = /^\s*(?:W\/)?"([^"]*)"\s*$/.exec(header)
  if (!match)
    throw new UsageError('API_IF_MATCH', `expected one entity tag in quotes, or *, in If-Match; got '${header}'`)
  return match[1] ?? ''
}
