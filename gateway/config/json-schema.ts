import { z } from 'zod'
import { configSchema } from './schema/index.ts'

/** The part of JSON Schema (2020-12) that describes our documents. `x-type` is the type as people call it. */
export interface JsonSchema {
  title?: string
  description?: string
  type?: string | readonly string[]
  const?: unknown
  enum?: readonly unknown[]
  default?: unknown
  examples?: readonly unknown[]
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  items?: JsonSchema
  oneOf?: readonly JsonSchema[]
  anyOf?: readonly JsonSchema[]
  $defs?: Readonly<Record<string, JsonSchema>>
  'x-type'?: string
  [keyword: string]: unknown
}

/** JSON Schema of the configuration file, as a person writes it (sizes and durations with units), for editors. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
  return {
    $schema,
    title: 'Tidegate gateway configuration',
    ...schema,
  }
}
