import { z } from 'zod'
import type { JsonSchema } from '../config/index.ts'
import { ruleSetSchema } from './schema.ts'

/** JSON Schema of a rule set, as a person writes it (durations with units), for editors. */
export function ruleSetJsonSchema(): JsonSchema {
  known ??= describe()
  return known
}

/** It never changes, and takes milliseconds to make. */
let known: JsonSchema | undefined

function describe(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(ruleSetSchema, { io: 'input' }) as JsonSchema
  return { $schema, title: 'Tidegate rule set', ...schema }
}
