import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { examplesOf } from '../../docs/pictures/examples.ts'
import { rulePictures, storyOf } from '../../docs/pictures/pictures.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { parseRules, RuleSet, type Selected } from '../../gateway/rules/index.ts'
import { stateOf } from '../../gateway/rules/lifecycle.ts'
import { CONDITION_KINDS, ruleSchema } from '../../gateway/rules/schema.ts'
import { StateMachine } from '../../gateway/state/index.ts'

const DOCS = resolve(import.meta.dirname, '../../docs')
const PICTURES = join(DOCS, 'pictures/rules')

const page = await readFile(join(DOCS, 'rules.md'), 'utf8')

const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '')

const yaml = blocks('yaml')
const isConfiguration = (text: string): boolean => text.startsWith('# tidegate.yaml')
const examples = examplesOf(page)

const example = (name: string): string => examples.find(({ picture }) => picture === name)?.yaml ?? ''

/** A row of a table, by its first cell. */
const row = (first: string): string | undefined => page.split('\n').find((line) => line.startsWith(`| ${first}`))

describe('the pictures of docs/rules.md (else: npm run docs)', async () => {
  const pictures = rulePictures(page)

  it('are all there, and no others', async () => {
    expect((await readdir(PICTURES)).sort()).toEqual([...pictures.keys()].sort())
  })

  it.each([...pictures])('%s is what the engine makes of the example', async (name, svg) => {
    expect(await readFile(join(PICTURES, name), 'utf8')).toBe(svg)
    expect(svg.length).toBeLessThan(15_000)
    expect(page).toContain(`(pictures/rules/${name})`)
  })

  it.each(examples.map(({ picture, yaml: text }) => [picture, text] as const))(
    '%s shows an alarm that is raised and cleared',
    (picture, text) => {
      const kinds = storyOf(picture, text).story.events.map(({ type }) => type.split('.').at(-1))
      expect(kinds).toContain('raised')
      expect(kinds).toContain('cleared')
    },
  )

  it('show every kind of condition', () => {
    const shown = examples.map(({ picture, yaml: text }) => storyOf(picture, text).rule.condition.kind)
    expect([...new Set(shown)].sort()).toEqual([...CONDITION_KINDS].sort())
  })
})

describe('docs/rules.md', () => {
  it.each(yaml.map((text) => [text.match(/id: \S+|^# .*/)?.[0] ?? text, text] as const))(
    'shows what can be used as it is: %s',
    (_, text) => {
      if (isConfiguration(text)) parseConfig(`site: plant-1\ngateway: gw-1\n${text}`, {})
      else expect(parseRules(text, 'rules.md').rules.length).toBeGreaterThan(0)
    },
  )

  it('names every setting and every kind', () => {
    const others = ['id', 'description', 'match', 'overrides', ...CONDITION_KINDS]
    const settings = Object.keys(ruleSchema.shape).filter((key) => !others.includes(key))
    for (const key of settings) expect(row(`\`${key}\``), key).toBeDefined()
    for (const kind of CONDITION_KINDS) expect(page).toContain(`[\`${kind}\`](#`)
  })

  it('says of the overrides what they do', () => {
    const rules = new RuleSet(parseRules(yaml.find((text) => text.startsWith('# overrides')) ?? '', 'rules.md'))
    const shown = (selected: Selected | undefined): string => {
      const { condition, severity, for: delay } = selected?.rule ?? {}
      if (condition?.kind !== 'above') throw new Error('expected the rule of the example')
      return `${condition.limit.raise}, clear ${condition.limit.clear} | ${(delay ?? 0) / 1000}s | ${severity} |`
    }
    const rows = [...page.matchAll(/^\| `([\w-]+)`, line `(\w)` \| (.*)$/gm)]
    expect(rows.length).toBe(4)
    for (const [, device = '', line = '', said = ''] of rows) {
      const [selected] = rules.select({ device, metric: 'temperature', labels: { line } })
      expect(said, device).toBe(shown(selected))
    }
  })

  it('shows the event that the first example gives', () => {
    const { story } = storyOf('above', example('above'))
    expect(JSON.parse(blocks('json')[0] ?? '')).toEqual(story.events[0])
  })

  it('shows the event that a change of rules gives', () => {
    const machine = new StateMachine({ dedupeWindow: 4, maxSeries: 10, gateway: 'gw-1' })
    const at = Date.UTC(2026, 0, 5, 8)
    const input = parseRules(example('above'), 'rules.yaml')
    const [event] = machine.changeRules('file', input, input, at)
    expect(JSON.parse(blocks('json')[1] ?? '')).toEqual(event)
  })

  it('names every state of an alarm', () => {
    const states = [
      { condition: null, acknowledged: true, latched: false },
      { condition: 'high', acknowledged: false, latched: false },
      { condition: 'high', acknowledged: true, latched: false },
      { condition: null, acknowledged: false, latched: false },
      { condition: null, acknowledged: true, latched: true },
    ].map((life) => stateOf({ ...life, shelvedUntil: null, suppressed: false, outOfService: false }))
    for (const state of [...states, 'shelved', 'suppressed', 'outOfService'])
      expect(row('`data.state`')).toContain(`\`${state}\``)
  })
})
