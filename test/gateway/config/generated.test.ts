import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  configExampleYaml,
  configJsonSchema,
  configReferenceMarkdown,
  parseConfig,
  variableName,
} from '../../../gateway/config/index.ts'
import { type ConfigKey, childrenOf, configTree, itemShapes, valueKeys } from '../../../gateway/config/keys.ts'

const committed = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')

/** Every key, those inside lists included. */
function everyKey(keys: readonly ConfigKey[] = configTree()): ConfigKey[] {
  return keys.flatMap((key) => [
    key,
    ...everyKey(key.children),
    ...itemShapes(key.schema).flatMap((shape) => everyKey(childrenOf(shape, [...key.path, '[]']))),
  ])
}

describe('files made from the schema are up to date (else: npm run docs)', () => {
  it('docs/configuration.md', async () => {
    expect(await committed('docs/configuration.md')).toBe(configReferenceMarkdown())
  })

  it('deploy/tidegate.yaml', async () => {
    expect(await committed('deploy/tidegate.yaml')).toBe(configExampleYaml())
  })

  it('deploy/tidegate.schema.json', async () => {
    expect(JSON.parse(await committed('deploy/tidegate.schema.json'))).toEqual(configJsonSchema())
  })
})

describe('the schema', () => {
  it('explains every key', () => {
    const silent = everyKey().filter(({ schema }) => schema.const === undefined && (schema.description ?? '') === '')
    expect(silent.map(({ name }) => name)).toEqual([])
  })

  it('has a default or an example for every key', () => {
    const bare = valueKeys().filter(({ schema }) => schema.default === undefined && schema.examples === undefined)
    expect(bare.map(({ name }) => name)).toEqual([])
  })
})

describe('the example', () => {
  it('says what is the default anyway', () => {
    expect(parseConfig(configExampleYaml(), {})).toEqual(parseConfig('site: plant-1\ngateway: gw-1\n', {}))
  })

  it('shows every key', () => {
    const example = configExampleYaml()
    for (const { path } of everyKey()) expect(example).toMatch(new RegExp(`\\b${path.at(-1)}:`))
  })

  it('stays valid when what is commented out is put in', () => {
    const text = configExampleYaml()
      .replace('    - kind: tcp\n      host: 127.0.0.1\n      port: 1883\n', '')
      .replaceAll(/^( *)# (- \{kind: .*|credentials:.*|tls:| {2}.*)$/gm, '$1$2')
    const config = parseConfig(text, {})
    expect(config.mqtt.listeners.map(({ kind }) => kind)).toEqual(['tcp', 'tls', 'ws', 'wss', 'unix'])
    expect(config.central.tls).toEqual({
      ca: '/etc/tidegate/tls/central-ca.crt',
      cert: '/etc/tidegate/tls/gateway.crt',
      key: '/etc/tidegate/tls/gateway.key',
    })
  })
})

describe('the reference', () => {
  it('names every key', () => {
    const reference = configReferenceMarkdown()
    for (const { name, children } of configTree()) {
      if (children.length > 0) expect(reference).toContain(`## \`${name}\``)
    }
    for (const { name } of valueKeys()) expect(reference).toContain(`| \`${name}\` |`)
    expect(reference).toContain(variableName(['central', 'servers']))
  })
})

describe('the JSON Schema', () => {
  it('refuses unknown keys and asks only for what is required', () => {
    const schema = configJsonSchema()
    expect(schema.required).toEqual(['site', 'gateway'])
    expect(schema['additionalProperties']).toBe(false)
  })
})
