import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { KINDS, ruleOf, type ThresholdForm } from '../../../../flows/nodes/threshold/form.ts'
import { CONDITION_KINDS, ruleSetSchema } from '../../../../gateway/rules/schema.ts'

/** A form as the editor leaves it, and the rule that it makes. */
const FORMS: [form: Omit<ThresholdForm, 'id'>, rule: Record<string, unknown>][] = [
  [{ kind: 'above', raise: '80' }, { above: 80 }],
  [{ kind: 'below', raise: '-3.5', clear: '-2' }, { below: { raise: -3.5, clear: -2 } }],
  [{ kind: 'outside', low: '2', high: '8', hysteresis: '0.5' }, { outside: { low: 2, high: 8, hysteresis: 0.5 } }],
  [{ kind: 'inside', low: '2', high: '8' }, { inside: { low: 2, high: 8 } }],
  [{ kind: 'ladder', hihi: '90', hi: '80' }, { ladder: { hi: 80, hihi: 90 } }],
  [
    { kind: 'ladder', hi: '80', lo: '20', hysteresis: '2' },
    { ladder: { lo: { raise: 20, clear: 22 }, hi: { raise: 80, clear: 78 } } },
  ],
  [{ kind: 'rate', rise: '5', per: '1m', over: '30s' }, { rate: { rise: 5, per: '1m', over: '30s' } }],
  [{ kind: 'stuck', after: '10m', tolerance: '0.1' }, { stuck: { after: '10m', tolerance: 0.1 } }],
  [{ kind: 'missing', after: '5m' }, { missing: { after: '5m' } }],
  [{ kind: 'deviation', sigmas: '3', clear: '2' }, { deviation: { sigmas: { raise: 3, clear: 2 } } }],
  [
    { kind: 'when', test: '{"all": [{"metric": "t", "above": 60}, {"metric": "pump", "is": false}]}' },
    {
      when: {
        all: [
          { metric: 't', above: 60 },
          { metric: 'pump', is: false },
        ],
      },
    },
  ],
  [
    { kind: 'above', raise: '1', severity: 'low', for: '30s', clearFor: '1m', ofM: '2', ofN: '3', latch: true },
    { above: 1, severity: 'low', for: '30s', clearFor: '1m', of: { m: 2, n: 3 }, latch: true },
  ],
  [
    {
      kind: 'above',
      raise: '1',
      more: '{"reraiseAfter": "10m", "overrides": [{"match": {"device": "a"}, "above": 2}]}',
    },
    { above: 1, reraiseAfter: '10m', overrides: [{ match: { device: 'a' }, above: 2 }] },
  ],
]

describe('a filled-in form', () => {
  test.each(FORMS)('%j', (form, rule) => {
    const made = ruleOf({ id: 'n1', ...form })
    expect(made).toEqual({ id: 'n1', match: {}, ...rule })
    expect(() => ruleSetSchema.parse({ rules: [made] })).not.toThrow()
  })

  test('has a field for every kind of condition that the gateway knows', () => {
    expect([...KINDS].sort()).toEqual([...CONDITION_KINDS].sort())
    expect(new Set(FORMS.map(([{ kind }]) => kind))).toEqual(new Set(KINDS))
  })

  test('says which readings it is about, and has the name of the node unless it has an id', () => {
    const form = {
      id: 'n1',
      name: 'too hot',
      device: ' boiler-* ',
      metric: '',
      labels: 'line=a, hall = north*',
      raise: '1',
    }
    expect(ruleOf(form)).toMatchObject({
      id: 'too hot',
      match: { device: 'boiler-*', labels: { line: 'a', hall: 'north*' } },
    })
    expect(ruleOf({ ...form, ruleId: 'hot' }).id).toBe('hot')
  })
})

test.each([
  [{ kind: 'above', raise: '' }, 'raise: expected a number, got nothing'],
  [{ kind: 'above', raise: '1e999' }, "raise: expected a number, got '1e999'"],
  [{ kind: 'outside', low: '1' }, 'high: expected a number, got nothing'],
  [{ kind: 'missing' }, 'after: expected something, got nothing'],
  [{ kind: 'when', test: '{' }, "test: expected JSON, got '{'"],
  [{ kind: 'above', raise: '1', more: '[]' }, "more: expected a JSON object, got '[]'"],
  [{ kind: 'above', raise: '1', labels: 'line' }, "labels: expected name=pattern, name=pattern, ..., got 'line'"],
  [{ kind: 'above', raise: '1', ofM: '2' }, 'of (n): expected a number, got nothing'],
])('what makes no rule is refused: %j', (form, message) => {
  expect(() => ruleOf({ id: 'n1', ...form })).toThrow(message)
})

describe('the example', () => {
  const folder = join(import.meta.dirname, '../../../../flows/examples')
  test.each(readdirSync(folder))(
    '%s makes rules that the gateway takes, and is wired to nodes that are there',
    (file) => {
      const nodes = JSON.parse(readFileSync(join(folder, file), 'utf8')) as (ThresholdForm & {
        type: string
        wires?: string[][]
      })[]
      const rules = nodes.filter(({ type }) => type === 'tidegate-threshold').map(ruleOf)
      expect(() => ruleSetSchema.parse({ rules })).not.toThrow()
      const ids = nodes.map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      expect(ids).toEqual(expect.arrayContaining(nodes.flatMap(({ wires = [] }) => wires.flat())))
    },
  )
})
