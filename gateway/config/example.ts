import { stringify } from 'yaml'
import { flow } from './flow.ts'
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
  return `${HEADER}\n${configTree()
    .map((key) => entry(key, ''))
    .join('\n')}`
}

function entry(key: ConfigKey, indent: string): string {
  const name = key.path.at(-1) ?? ''
  const comment = wrap(key.schema.description ?? '', `${indent}# `)
  if (key.children.length > 0) {
    // A section that is not there by default (TLS) would have empty texts for values: the whole of it is commented out.
    const inner = key.children.map((child) => entry(child, `${indent}  `)).join('')
    return `${comment}${indent}${key.schema.default === undefined ? '# ' : ''}${name}:\n${inner}`
  }
  const usual = key.required ? key.schema.examples?.[0] : key.schema.default
  if (usual === undefined) return `${comment}${indent}# ${name}: ${flow(key.schema.examples?.[0])}\n`
  const written = block({ [name]: usual }, indent)
  return `${comment}${written}${itemShapes(key.schema)
    .map((shape) => shapeExample(shape, `${indent}  `))
    .join('')}`
}

/** One more item for a list, commented out, with every key that its kind has. */
function shapeExample(shape: Parameters<typeof childrenOf>[0], indent: string): string {
  const keys = childrenOf(shape, [])
  const pairs = keys.map(({ name, schema }) => [name, schema.const ?? schema.default ?? schema.examples?.[0]] as const)
  return `${indent}# - ${flow(Object.fromEntries(pairs))}\n`
}

function block(value: unknown, indent: string): string {
  return stringify(value, { lineWidth: 0 }).replaceAll(/^(?=.)/gm, indent)
}

/** The text as comment lines of bearable width. */
function wrap(text: string, prefix: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && prefix.length + line.length + word.length + 1 > WIDTH) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((part) => `${prefix}${part}\n`).join('')
}
