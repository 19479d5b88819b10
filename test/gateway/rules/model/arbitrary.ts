import fc from 'fast-check'
import type { Action } from '../../../../gateway/rules/lifecycle.ts'
import type { Condition, Limit, Rule, Severity, Step, StepName, Test } from '../../../../gateway/rules/rule.ts'
import type { Millis, Reading } from '../../../../sync/contract/index.ts'

/** A rule as the reference takes it, and as people write it. */
export interface Written {
  rule: Rule
  input: Readonly<Record<string, unknown>>
  /** The one metric that it watches; null: all of them, each by itself (`when`: those that it names). */
  metric: string | null
}

export const METRICS = ['a', 'b', 'c'] as const
const TOP = 12

const above = fc
  .record({ raise: fc.integer({ min: 4, max: 9 }), width: fc.constantFrom(0, 0, 2, 4) })
  .map(({ raise, width }): Limit => ({ raise, clear: raise - width }))
const below = above.map(({ raise, clear }): Limit => ({ raise: TOP - raise, clear: TOP - clear }))
const positive = fc.record({ raise: fc.constantFrom(0.5, 0.5, 1), clear: fc.constantFrom(0, 0.25, 0.5) })
const ms = (millis: Millis): string => `${millis}ms`

interface WrittenCondition {
  condition: Condition
  input: unknown
}

const ladder = fc
  .record({
    levels: fc.uniqueArray(fc.integer({ min: 1, max: TOP - 1 }), { minLength: 4, maxLength: 4 }),
    names: fc.subarray<StepName>(['lolo', 'lo', 'hi', 'hihi'], { minLength: 1 }),
    width: fc.constantFrom(0, 1, 2),
    severities: fc.array(fc.constantFrom<Severity | undefined>(undefined, 'low', 'critical'), {
      minLength: 4,
      maxLength: 4,
    }),
  })
  .map(({ levels, names, width, severities }): WrittenCondition => {
    const sorted = levels.toSorted((one, other) => one - other)
    const steps: Partial<Record<StepName, Step>> = {}
    const input: Record<string, unknown> = {}
    for (const [i, name] of (['lolo', 'lo', 'hi', 'hihi'] as const).entries()) {
      const [raise = 0, severity] = [sorted[i], severities[i]]
      if (!names.includes(name)) continue
      // As far as the levels of the other side allow.
      const clear = i < 2 ? Math.min(raise + width, sorted[2] ?? TOP) : Math.max(raise - width, sorted[1] ?? 0)
      steps[name] = { raise, clear, severity: severity ?? 'medium' }
      input[name] = { raise, clear, ...(severity ? { severity } : {}) }
    }
    return { condition: { kind: 'ladder', steps }, input }
  })

const band = fc.record({
  low: fc.integer({ min: 1, max: 5 }),
  width: fc.integer({ min: 2, max: 6 }),
  hysteresis: fc.constantFrom(0, 0, 1, 2),
})

const leaf: fc.Arbitrary<Test> = fc.oneof(
  fc.record({ metric: fc.constantFrom(...METRICS), above }),
  fc.record({ metric: fc.constantFrom(...METRICS), below }),
  fc.record({ metric: fc.constantFrom(...METRICS), is: fc.constantFrom(true, 'on', 5) }),
)
const test: fc.Arbitrary<Test> = fc.letrec<{ test: Test }>((tie) => ({
  test: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leaf,
    fc.record({ all: fc.array(tie('test'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('test'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('test') }),
  ),
})).test

export const CONDITIONS: Readonly<Record<Condition['kind'], fc.Arbitrary<WrittenCondition>>> = {
  above: above.map((limit) => ({ condition: { kind: 'above', limit }, input: limit })),
  below: below.map((limit) => ({ condition: { kind: 'below', limit }, input: limit })),
  outside: band.map(({ low, width, hysteresis: h }) => ({
    condition: {
      kind: 'outside',
      low: { raise: low, clear: low + h },
      high: { raise: low + width, clear: low + width - h },
    },
    input: { low, high: low + width, hysteresis: h },
  })),
  inside: band.map(({ low, width, hysteresis: h }) => ({
    condition: {
      kind: 'inside',
      low: { raise: low, clear: low - h },
      high: { raise: low + width, clear: low + width + h },
    },
    input: { low, high: low + width, hysteresis: h },
  })),
  ladder,
  rate: fc
    .record({
      rise: positive,
      fall: positive,
      which: fc.constantFrom('rise', 'fall', 'both'),
      per: fc.constantFrom(1, 3),
      over: fc.constantFrom(4, 15, 40),
    })
    .map(({ rise, fall, which, per, over }) => {
      const limits = { rise: which === 'fall' ? null : rise, fall: which === 'rise' ? null : fall }
      const given = Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== null))
      return { condition: { kind: 'rate', ...limits, per, over }, input: { ...given, per: ms(per), over: ms(over) } }
    }),
  stuck: fc
    .record({ after: fc.constantFrom(1, 10, 30), tolerance: fc.constantFrom(0, 1, 3) })
    .map(({ after, tolerance }) => ({
      condition: { kind: 'stuck', after, tolerance },
      input: { after: ms(after), tolerance },
    })),
  missing: fc
    .constantFrom(5, 20, 45)
    .map((after) => ({ condition: { kind: 'missing', after }, input: { after: ms(after) } })),
  deviation: fc
    .record({
      limit: fc.record({ raise: fc.constantFrom(1.13, 2.21), clear: fc.constantFrom(0.41, 1.07) }),
      alpha: fc.constantFrom(0.1, 0.3),
      warmup: fc.constantFrom(2, 4),
      floor: fc.constantFrom(0, 0.37),
    })
    .map(({ limit, alpha, warmup, floor }) => ({
      condition: { kind: 'deviation', limit, alpha, warmup, floor },
      input: { sigmas: limit, weight: alpha, warmup, floor },
    })),
  when: test.map((all) => ({ condition: { kind: 'when', all }, input: all })),
}

const delay = fc.constantFrom(0, 0, 0, 3, 12, 40)

/** A rule of a kind, with every combination of delays, counting and latching that is allowed for it. */
export const ruleOf = (kind: Condition['kind'], id: string): fc.Arbitrary<Written> =>
  fc
    .record({
      written: CONDITIONS[kind],
      metric: fc.constantFrom(null, ...METRICS),
      for: delay,
      clearFor: delay,
      reraiseAfter: delay,
      latch: fc.boolean(),
      of: fc.constantFrom(null, null, { m: 1, n: 2 }, { m: 2, n: 3 }, { m: 3, n: 3 }),
    })
    .map(({ written: { condition, input }, metric, ...given }) => {
      const several = kind === 'when'
      const waits = kind === 'missing' || kind === 'stuck'
      const onDelay = waits ? 0 : given.for
      const of = waits || several ? null : given.of
      const watched = several ? null : metric
      const { clearFor, reraiseAfter, latch } = given
      const rule: Rule = {
        ...{ id, enabled: true, severity: 'medium', message: '', labels: {} },
        ...{ condition, for: onDelay, clearFor, of, latch, reraiseAfter, flood: null },
      }
      return {
        rule,
        metric: watched,
        input: {
          id,
          match: watched === null ? {} : { metric: watched },
          [kind]: input,
          ...(onDelay === 0 ? {} : { for: ms(onDelay) }),
          ...(of === null ? {} : { of }),
          ...{ clearFor: ms(clearFor), reraiseAfter: ms(reraiseAfter), latch },
        },
      }
    })

export const KINDS = Object.keys(CONDITIONS) as Condition['kind'][]

export type Happens = { reading: Reading } | { tick: Millis } | { act: Action; now: Millis }

/** More of what undoes something than of what does it: else most of a run would happen on the shelf. */
export const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Action>({ kind: 'acknowledge' }) },
  { weight: 4, arbitrary: fc.constant<Action>({ kind: 'reset' }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 60 }).map((until): Action => ({ kind: 'shelve', until })) },
  {
    weight: 8,
    arbitrary: fc.constantFrom<Action>(
      { kind: 'suppress' },
      { kind: 'removeFromService' },
      { kind: 'unshelve' },
      { kind: 'unsuppress' },
      { kind: 'unsuppress' },
      { kind: 'returnToService' },
      { kind: 'returnToService' },
    ),
  },
)

const START = 1_000

/** Values that cross levels often: mostly they stay near where they were. */
const value = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: TOP }) },
  { weight: 4, arbitrary: fc.constantFrom(1, 5, 11) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom('on', 'off') },
)

/** How the device's clock stands to the gateway's: equal, late now and then, wild, or not given at all. */
const lag = fc.constantFrom('none', 'exact', 'late', 'wild')

/** Readings, ticks and actions, in the order of the gateway's clock. */
export function steps(devices: readonly string[], acting: boolean): fc.Arbitrary<Happens[]> {
  return lag.chain((how) => {
    const one = fc.record({
      kind: fc.constantFrom('reading', 'reading', 'reading', 'reading', 'reading', 'tick', acting ? 'act' : 'reading'),
      step: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 9 }) },
        { weight: 1, arbitrary: fc.integer({ min: 10, max: 120 }) },
      ),
      device: fc.constantFrom(...devices),
      metric: fc.constantFrom(...METRICS),
      value,
      late: how === 'wild' ? fc.integer({ min: -30, max: 30 }) : fc.constantFrom(0, 0, 0, 1, 3, 8),
      quality: fc.constantFrom<Reading['quality'][]>('good', undefined, undefined, undefined, undefined, 'bad'),
      action,
    })
    const long = fc.array(one, { minLength: 25, maxLength: 60 })
    const some = { weight: 1, arbitrary: fc.array(one, { maxLength: 25 }) }
    return fc.oneof({ withCrossShrink: true }, some, { weight: 3, arbitrary: long }).map((all) => {
      let now = START
      return all.map(({ kind, step, device, metric, value, late, quality, action }): Happens => {
        now += step
        if (kind === 'tick') return { tick: now }
        if (kind === 'act')
          return { act: action.kind === 'shelve' ? { ...action, until: now + action.until } : action, now }
        const time = how === 'none' ? {} : { time: how === 'exact' ? now : now - late }
        return { reading: { device, metric, value, received: now, ...time, ...(quality ? { quality } : {}) } }
      })
    })
  })
}
