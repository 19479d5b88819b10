import { describe, expect, it } from 'vitest'
import { RuleSet } from '../../../gateway/rules/rule-set.ts'
import { ruleSetSchema } from '../../../gateway/rules/schema.ts'

const made = (input: unknown): RuleSet => new RuleSet(ruleSetSchema.parse(input))
const series = (device: string, metric: string, labels = {}) => ({ device, metric, labels })

const OVENS = {
  defaults: { severity: 'low', for: '10s' },
  rules: [
    {
      id: 'oven-hot',
      match: { device: 'oven-*', metric: 'temperature' },
      above: { raise: 80, clear: 75 },
      overrides: [
        { match: { device: 'oven-7' }, above: 90 },
        { match: { labels: { line: 'a' } }, severity: 'critical', for: '1s' },
        { match: { device: 'oven-*' }, above: 85, message: 'hot' },
      ],
    },
    { id: 'quiet', match: {}, missing: { after: '5m' } },
  ],
}

describe('a rule set', () => {
  it('selects rules by patterns over device, metric and labels', () => {
    const rules = made(OVENS)
    expect(rules.select(series('oven-1', 'temperature')).map(({ rule }) => rule.id)).toEqual(['oven-hot', 'quiet'])
    expect(rules.select(series('oven-1', 'humidity')).map(({ rule }) => rule.id)).toEqual(['quiet'])
    expect(rules.select(series('press', 'temperature')).map(({ rule }) => rule.id)).toEqual(['quiet'])
  })

  it('lets the most specific override win, key by key, and says where each key comes from', () => {
    const [hot] = made(OVENS).select(series('oven-7', 'temperature', { line: 'a' }))
    expect(hot?.rule).toMatchObject({
      severity: 'critical',
      for: 1000,
      message: 'hot',
      condition: { kind: 'above', limit: { raise: 90, clear: 90 } },
    })
    expect(Object.fromEntries(hot?.sources ?? [])).toEqual({ severity: 1, for: 1, message: 2, above: 0 })
    const [other] = made(OVENS).select(series('oven-1', 'temperature'))
    expect(other?.rule.condition).toMatchObject({ limit: { raise: 85 } })
    expect(other?.sources.get('severity')).toBe('defaults')
  })

  it('replaces single steps of a ladder', () => {
    const rules = made({
      rules: [
        {
          id: 'ladder',
          match: { metric: 'temperature' },
          severity: 'low',
          ladder: { hi: 80, hihi: { raise: 90, clear: 88, severity: 'critical' } },
          overrides: [{ match: { device: 'x' }, ladder: { hi: 70 } }],
        },
      ],
    })
    expect(rules.select(series('x', 'temperature'))[0]?.rule.condition).toEqual({
      kind: 'ladder',
      steps: {
        hi: { raise: 70, clear: 70, severity: 'low' },
        hihi: { raise: 90, clear: 88, severity: 'critical' },
      },
    })
  })

  it('has a revision for what decides, and another for everything', () => {
    const revisionOf = (input: unknown): string | undefined =>
      made(input).select(series('oven-1', 'temperature'))[0]?.revision
    const { rules } = OVENS
    const told = { ...OVENS, rules: rules.map((rule) => ({ ...rule, message: 'other words' })) }
    expect(revisionOf(told)).toBe(revisionOf(OVENS))
    expect(made(told).revision).not.toBe(made(OVENS).revision)
    expect(revisionOf({ ...OVENS, defaults: { for: '11s' } })).not.toBe(revisionOf(OVENS))
    // The order in which keys are written means nothing.
    expect(made({ rules, defaults: { for: '10s', severity: 'low' } }).revision).toBe(made(OVENS).revision)
  })

  it('asks a test over several metrics only about those that it names', () => {
    const rules = made({
      rules: [
        {
          id: 'both',
          match: {},
          when: {
            all: [
              { metric: 'a', above: 1 },
              { metric: 'b', below: 2 },
            ],
          },
        },
      ],
    })
    expect(['a', 'b', 'c'].map((metric) => rules.select(series('d', metric)).length)).toEqual([1, 1, 0])
  })
})
