import { stringify } from 'yaml'
import { flow } from './flow.ts'
import type { JsonSchema } from './json-schema.ts'
import { type ConfigKey, childrenOf, configTree, itemShapes } from './keys.ts'

const WIDTH = 116

const HEADER = `# yaml-language-server: $schema=./tidegate.schema.json
#
# Configuration of a Tidegate gateway: every key with its default. Only \`site\` and \`gateway\` must be set; delete what you do not
# change, so that better defaults of later versions reach you. Keys that are commented out have no default.
# Generated from the schema by \`npm run docs\`; explained in docs/configuration.md. Check yours: tidegate config check --config FILE
`

/** A configuration file that shows every key, with its meaning as a comment and its default as the value. */
export function configExampleYaml(): string {
  const entries = configTree().map((key) => `${entry(key, true).join('\n')}\n`)
  return `${HEADER}\n${entries.join('\n')}`
}

/**
 * The lines of one key, not indented.
 *
 * @param optional comment out what has no default; false inside a section that is commented out as a whole
 */
function entry(key: ConfigKey, optional: boolean): string[] {
  const name = key.path.at(-1) ?? ''
  const meaning = wrap(key.schema.description ?? '', WIDTH - 2 * key.path.length)
  if (key.children.length > 0) {
    const absent = optional && key.schema.default === undefined
    const inner = key.children.flatMap((child) => entry(child, !absent)).map((line) => `  ${line}`)
    const lines = [`${name}:`, ...inner]
    return [...meaning, ...(absent ? lines.map((line) => `# ${line}`) : lines)]
  }
  const usual = key.required ? key.schema.examples?.[0] : key.schema.default
  if (usual === undefined) return [...meaning, `${optional ? '# ' : ''}${name}: ${flow(key.schema.examples?.[0])}`]
  const items = itemShapes(key.schema).map((shape) => `  # - ${flow(itemExample(shape))}`)
  // `[]` would be in the way of an item that is put in.
  if (items.length > 0 && Array.isArray(usual) && usual.length === 0) return [...meaning, `${name}:`, ...items]
  const value = stringify({ [name]: usual }, { lineWidth: 0 })
    .trimEnd()
    .split('\n')
  return [...meaning, ...value, ...items]
}

/** An item for a list, with every key that its kind has. */
function itemExample(shape: JsonSchema): Record<string, unknown> {
  const pairs = childrenOf(shape, []).map(({ name, schema }) => {
    return [name, schema.const ?? schema.default ?? schema.examples?.[0]] as const
  })
  return Object.fromEntries(pairs)
}

/** The text as comment lines of bearable width. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = '#'
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width) {
      lines.push(line)
      line = '#'
    }
    line = `${line} ${word}`
  }
  return [...lines, line]
}
