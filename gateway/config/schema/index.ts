import { z } from 'zod'
import { choice, filePath } from '../fields.ts'
import { api } from './api.ts'
import { central } from './central.ts'
import { CONSISTENCY, concerns } from './consistency.ts'
import { failover } from './failover.ts'
import { flows } from './flows.ts'
import { forward } from './forward.ts'
import { ingest } from './ingest.ts'
import { mqtt } from './mqtt.ts'
import { outbox } from './outbox.ts'
import { rules } from './rules.ts'

const name = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .max(64)
    .meta({ description, examples: [example], 'x-type': 'text' })

const shape = z.strictObject({
  site: name('Name of the site. Part of every subject in the central stream.', 'plant-1'),
  gateway: name(
    'Name of this gateway, unique within its site: two gateways with the same name would write the same chain.',
    'gw-1',
  ),
  dataDir: filePath(
    'Folder of everything durable: outbox, state, identity. Back it up only while stopped.',
    '/var/lib/tidegate',
  ).prefault('./data'),
  mqtt,
  ingest,
  rules,
  outbox,
  central,
  forward,
  failover,
  api,
  flows,
  log: z
    .strictObject({
      level: choice('Least severe level that is written.', [
        'trace',
        'debug',
        'info',
        'warn',
        'error',
        'fatal',
      ]).prefault('info'),
    })
    .prefault({})
    .meta({ description: 'Log lines, as JSON on standard error.' }),
})

/**
 * A gateway's whole configuration, defaults filled in. Sizes are bytes, durations milliseconds, "no limit" (`none`,
 * `unlimited`) is null, paths are absolute.
 */
export type Config = z.output<typeof shape>

/** The shape, then what must hold between keys: each rule runs as soon as the keys it looks at are valid. */
export const configSchema: z.ZodType<Config> = CONSISTENCY.reduce<z.ZodType<Config>>(
  (schema, rule) =>
    schema.refine((config) => rule.holds(config), {
      path: [...rule.path],
      error: (issue) => rule.message(issue.input as Config),
      when: ({ issues, value }) =>
        typeof value === 'object' && value !== null && !issues.some((issue) => concerns(rule, issue.path ?? [])),
    }),
  shape,
)
