import { CONFIG_FILE_VARIABLE, variableName } from './environment.ts'
import { flow } from './flow.ts'
import type { JsonSchema } from './json-schema.ts'
import { type ConfigKey, childrenOf, configTree, itemShapes } from './keys.ts'

const INTRODUCTION = `# Configuration

<!-- Generated from gateway/config/schema by \`npm run docs\`: change the schema, not this file. -->

A gateway reads one YAML file: \`tidegate run --config tidegate.yaml\`, or the file that \`${CONFIG_FILE_VARIABLE}\` names. Only \`site\` and
\`gateway\` must be set. \`tidegate config check\` says everything that is wrong with a file, with the line; \`tidegate config example\` prints
one with every key; \`tidegate config schema\` prints its JSON Schema for editors.

- **Sizes** are written with their unit: \`10GB\` (powers of 1000), \`512KiB\` (powers of 1024), or as a plain number of bytes.
- **Durations** always have a unit: \`250ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`7d\`, \`10y\` (of 365 days).
- **Paths** that are relative are taken from the folder of the file.
- **Environment variables** win over the file. The name is \`TIDEGATE_\` and the path of the key in capitals, with \`_\` between levels and between
  words: \`central.retry.min\` is \`${variableName(['central', 'retry', 'min'])}\`, \`dataDir\` is \`${variableName(['dataDir'])}\`. Lists of texts are written with commas
  (\`${variableName(['central', 'servers'])}=nats://a:4222,nats://b:4222\`), lists of sections as YAML
  (\`${variableName(['mqtt', 'listeners'])}='[{kind: tcp, host: 0.0.0.0}]'\`). An empty variable counts as not set, an unknown one is an error.
- **Unknown keys** are an error, with the key that was probably meant. A key with nothing after it counts as not written.
`

/** docs/configuration.md: every key with its type, default and meaning, generated so that it cannot go stale. */
export function configReferenceMarkdown(): string {
  const keys = configTree()
  const plain = keys.filter((key) => key.children.length === 0)
  const sections = keys.filter((key) => key.children.length > 0)
  return `${[INTRODUCTION, '## Identity\n', table(plain), ...sections.map(section)].join('\n').trimEnd()}\n`
}

function section(key: ConfigKey): string {
  const plain = key.children.filter((child) => child.children.length === 0)
  const nested = key.children.filter((child) => child.children.length > 0)
  const lists = plain.filter((child) => itemShapes(child.schema).length > 0)
  return [
    `${'#'.repeat(key.path.length + 1)} \`${key.name}\`\n`,
    `${key.schema.description ?? ''}\n`,
    ...(plain.length > 0 ? [table(plain)] : []),
    ...lists.flatMap(listItems),
    ...nested.map(section),
  ].join('\n')
}

/** One table for each kind of item that a list may hold. */
function listItems(list: ConfigKey): string[] {
  return itemShapes(list.schema).map((shape) => {
    const named = shape.title === undefined ? '' : ` with \`kind: ${shape.title}\``
    const description = shape.description === undefined ? '' : ` ${shape.description}`
    const keys = childrenOf(shape, []).filter((key) => key.schema.const === undefined)
    return `Each of \`${list.name}\`${named}:${description}\n\n${table(keys)}`
  })
}

function table(keys: readonly ConfigKey[]): string {
  const rows = keys.map(
    (key) => `| \`${key.name}\` | ${type(key.schema)} | ${usual(key)} | ${cell(key.schema.description ?? '')} |`,
  )
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n')
}

const type = (schema: JsonSchema): string => cell(schema['x-type'] ?? String(schema.type))

function usual({ schema, required }: ConfigKey): string {
  if (required) return '**required**'
  if (schema.default === undefined) return '-'
  return `\`${typeof schema.default === 'string' ? schema.default : flow(schema.default)}\``
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
