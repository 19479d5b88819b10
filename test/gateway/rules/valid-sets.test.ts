import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkRules, RulesError } from '../../../gateway/rules/index.ts'
import { RuleSet } from '../../../gateway/rules/rule-set.ts'
import type { Reading } from '../../../sync/contract/index.ts'
import { TestEngine } from './support.ts'

/** Most sets that come out of it are refused: there have to be many. */
const RUNS = 2000 + 50 * Number(process.env['TEST_SEEDS'] ?? 0)

const level = fc.integer({ min: 0, max: 12 })
const duration = fc.constantFrom('0s', '1ms', '5ms', '20ms')
const limit = fc.oneof(level, fc.record({ raise: level, clear: level }, { requiredKeys: ['raise'] }))
const optional = { requiredKeys: [] }

const test: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  test: fc.oneof(
    { maxDepth: 2 },
    fc.record({ metric: fc.constantFrom('a', 'b'), above: limit }),
    fc.record({ metric: fc.constantFrom('a', 'b'), is: fc.constantFrom(1, true, 'on') }),
    fc.record({ all: fc.array(tie('test'), { maxLength: 2 }) }),
    fc.record({ any: fc.array(tie('test'), { maxLength: 2 }) }),
    fc.record({ not: tie('test') }),
  ),
})).test

const band = fc.record({ low: level, high: level, hysteresis: level }, { requiredKeys: ['low', 'high'] })

/** Levels that are in order mostly. */
const around = (middle: number) => fc.integer({ min: middle - 2, max: middle + 2 })

/** Each of them valid or not. */
const CONDITIONS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  above: limit,
  below: limit,
  outside: band,
  inside: band,
  ladder: fc.record({ lolo: around(1), lo: around(4), hi: around(7), hihi: around(10) }, optional),
  rate: fc.record({ rise: limit, fall: limit, per: duration, over: duration }, optional),
  stuck: fc.record({ after: duration, tolerance: level }, { requiredKeys: ['after'] }),
  missing: fc.record({ after: duration }),
  deviation: fc.record({ sigmas: limit, warmup: fc.integer({ min: 1, max: 4 }) }, { requiredKeys: ['sigmas'] }),
  when: test,
}

const settings = {
  enabled: fc.boolean(),
  severity: fc.constantFrom('low', 'critical'),
  for: duration,
  clearFor: duration,
  reraiseAfter: duration,
  latch: fc.boolean(),
  of: fc.record({ m: fc.integer({ min: 1, max: 3 }), n: fc.integer({ min: 1, max: 3 }) }),
}

const match = fc.record(
  {
    device: fc.constantFrom('*', 'd*', '*1', 'd1', 'x'),
    metric: fc.constantFrom('*', 'a', 'b'),
    labels: fc.record({ line: fc.constantFrom('*', 'l1') }, optional),
  },
  optional,
)

/** Few keys each, so that it is valid often enough. */
const some = (keys: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> =>
  fc
    .subarray(Object.keys(keys), { maxLength: 2 })
    .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, keys[name] ?? fc.constant(null)]))))

const rule = fc.constantFrom(...Object.keys(CONDITIONS)).chain((kind) => {
  const condition = CONDITIONS[kind] ?? fc.constant(null)
  return fc
    .record({
      id: fc.constantFrom('r', 's', 't', 'u'),
      match,
      settings: some(settings),
      condition,
      overrides: fc.array(
        fc
          .record({ match, settings: some(settings), condition: fc.option(condition) })
          .map(({ match, settings, condition }) => ({
            match,
            ...settings,
            ...(condition === null ? {} : { [kind]: condition }),
          })),
        { maxLength: 3 },
      ),
    })
    .map(({ id, match, settings, condition, overrides }) => ({ id, match, ...settings, [kind]: condition, overrides }))
})

const sets = fc.record({
  defaults: some(settings),
  lateness: fc.constantFrom('0s', '10ms'),
  rules: fc.array(rule, { minLength: 1, maxLength: 2 }),
})

const readings = fc.array(
  fc.record({
    device: fc.constantFrom('d1', 'd2', 'x'),
    metric: fc.constantFrom('a', 'b', 'c'),
    value: fc.oneof(level, fc.boolean(), fc.constantFrom('on', '')),
    time: fc.nat(60),
    received: fc.nat(60),
    quality: fc.constantFrom('good', 'bad'),
    labels: fc.record({ line: fc.constantFrom('l1', 'l2') }, optional),
  }),
  { maxLength: 20 },
)

const LADDER = ['lolo', 'lo', 'hi', 'hihi'] as const

describe('a rule set that passes the check', () => {
  it('can be used: over any readings, and with its levels in order for every series', () => {
    let valid = 0
    let laddered = 0
    fc.assert(
      fc.property(sets, readings, (input, all) => {
        let set: RuleSet
        try {
          set = new RuleSet(checkRules(input))
        } catch (error) {
          expect(error).toBeInstanceOf(RulesError)
          return
        }
        valid++
        const engine = new TestEngine(set)
        for (const reading of all as Reading[]) {
          engine.hear(reading)
          for (const { rule } of set.select({
            device: reading.device,
            metric: reading.metric,
            labels: reading.labels ?? {},
          })) {
            const { condition } = rule
            if (condition.kind !== 'ladder') continue
            laddered++
            const levels = LADDER.flatMap((name) => condition.steps[name]?.raise ?? [])
            expect(levels).toEqual([...new Set(levels)].sort((one, other) => one - other))
          }
        }
        engine.advance(1000)
      }),
      { numRuns: RUNS },
    )
    expect(valid).toBeGreaterThan(RUNS / 20)
    expect(laddered).toBeGreaterThan(RUNS / 100)
  }, 60_000)
})
