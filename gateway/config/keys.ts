import { configJsonSchema, type JsonSchema } from './json-schema.ts'

/** One key of the configuration, or a section of keys. */
export interface ConfigKey {
  /** `['central', 'retry', 'min']` */
  path: readonly string[]
  /** `central.retry.min` */
  name: string
  schema: JsonSchema
  required: boolean
  /** The keys of a section; empty for a key that holds a value. */
  children: readonly ConfigKey[]
}

/** All keys as a tree, in the order of the schema. Keys inside lists are not part of it: see `schema.items`. */
export function configTree(): readonly ConfigKey[] {
  return childrenOf(configJsonSchema(), [])
}

/** Every key that holds a value. */
export function valueKeys(keys: readonly ConfigKey[] = configTree()): readonly ConfigKey[] {
  return keys.flatMap((key) => (key.children.length === 0 ? [key] : valueKeys(key.children)))
}

/** The kinds of thing that a list may hold, one schema each; empty for a list of plain values. */
export function itemShapes(list: JsonSchema): readonly JsonSchema[] {
  const shapes = list.items?.oneOf ?? (list.items === undefined ? [] : [list.items])
  return shapes.filter((shape) => shape.properties !== undefined)
}

/** The keys of one object schema. */
export function childrenOf(schema: JsonSchema, path: readonly string[]): readonly ConfigKey[] {
  return Object.entries(schema.properties ?? {}).map(([key, child]) => {
    const childPath = [...path, key]
    return {
      path: childPath,
      name: childPath.join('.'),
      schema: child,
      required: schema.required?.includes(key) ?? false,
      children: childrenOf(child, childPath),
    }
  })
}

/**
 * The schema of whatever stands at a place in a document, lists included.
 *
 * @param document schema of the whole document
 * @param root the document, to tell shapes apart: those of a list's items by their `kind`, a section from a plain value
 */
export function schemaAt(document: JsonSchema, path: readonly PropertyKey[], root: unknown): JsonSchema | undefined {
  let schema: JsonSchema | undefined = document
  let value = root
  for (const step of path) {
    schema = typeof step === 'number' ? schema?.items : schema?.properties?.[String(step)]
    value = valueAt(value, [step])
    schema = referred(document, schema)
    const kind = valueAt(value, ['kind'])
    if (schema?.oneOf !== undefined) schema = schema.oneOf.find((shape) => shape.properties?.['kind']?.const === kind)
    if (typeof value === 'object' && schema?.anyOf !== undefined)
      schema = schema.anyOf.find((shape) => shape.properties !== undefined) ?? schema
  }
  return schema
}

/** What a `$ref` stands for: shapes that contain themselves are written once, and referred to. */
function referred({ $defs }: JsonSchema, schema: JsonSchema | undefined): JsonSchema | undefined {
  const name = typeof schema?.['$ref'] === 'string' ? schema['$ref'].replace('#/$defs/', '') : undefined
  return name === undefined ? schema : $defs?.[name]
}

/** What stands at a path in parsed YAML; undefined when nothing does. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    root,
  )
}
