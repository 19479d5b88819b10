import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { metricsOf } from '../../../../gateway/rules/condition/index.ts'
import { checkRules } from '../../../../gateway/rules/index.ts'
import { RuleSet } from '../../../../gateway/rules/rule-set.ts'
import type { Millis, Reading, ThresholdEvent } from '../../../../sync/contract/index.ts'
import { TestEngine } from '../support.ts'
import { type Happens, KINDS, ruleOf, steps, type Written } from './arbitrary.ts'
import { OneAlarm } from './one-alarm.ts'
import { Reference, type Said } from './reference.ts'
import { TooClose } from './shows.ts'

const SEEDS = Number(process.env['TEST_SEEDS'] ?? 20)
const RUNS = 15
const TIMEOUT = 30_000 + SEEDS * 500
const LATENESS = fc.constantFrom(0, 0, 5, 25)
/** Everything that can be due is due by then. */
const END = 1_000_000

const setOf = (lateness: Millis, rules: readonly Written[]): RuleSet =>
  new RuleSet(checkRules({ lateness: `${lateness}ms`, rules: rules.map(({ input }) => input) }))

const metricsOfRule = ({ rule: { condition }, metric }: Written): readonly string[] =>
  condition.kind === 'when' ? metricsOf(condition.all) : [metric ?? 'a']

/** A reading of a metric that the rule does not watch becomes one of those that it does. */
function heardBy(written: Written, happens: Happens): Happens {
  const metrics = metricsOfRule(written)
  if (!('reading' in happens) || metrics.includes(happens.reading.metric)) return happens
  return { reading: { ...happens.reading, metric: metrics[0] ?? 'a' } }
}

function follow(reference: Reference, happens: Happens): Said[] {
  if ('tick' in happens) return reference.tick(happens.tick)
  return 'act' in happens ? reference.act(happens.act, happens.now) : reference.hear(happens.reading)
}

/** Runs a comparison; a run that rounding could have decided otherwise says nothing. */
function unlessTooClose(compare: () => void): void {
  try {
    compare()
  } catch (error) {
    if (!(error instanceof TooClose)) throw error
    fc.pre(false)
  }
}

describe('one alarm', () => {
  it.each(KINDS)(
    'of kind "%s" does what its definition says, whatever is heard and whatever people do',
    (kind) => {
      const told = new Map<string, number>()
      fc.assert(
        fc.property(ruleOf(kind, 'r'), LATENESS, steps(['d'], true), (written, lateness, all) =>
          unlessTooClose(() => {
            const heard = all.map((happens) => heardBy(written, happens))
            const reference = new Reference(written.rule, lateness)
            const real = new OneAlarm(setOf(lateness, [written]))
            for (const happens of [...heard, { tick: END }]) {
              const said = follow(reference, happens)
              expect(real.follow(happens)).toEqual(said)
              for (const { kind } of said) told.set(kind, (told.get(kind) ?? 0) + 1)
            }
          }),
        ),
        { numRuns: SEEDS * RUNS },
      )
      expect(told.get('raised')).toBeGreaterThan(SEEDS)
      expect(told.get('cleared')).toBeGreaterThan(SEEDS / 4)
    },
    TIMEOUT,
  )
})

/** The alarms of a set over some devices, each with its reference. */
class References {
  readonly #rules: readonly Written[]
  readonly #lateness: Millis
  readonly #alarms = new Map<string, Reference>()

  constructor(rules: readonly Written[], lateness: Millis) {
    this.#rules = rules
    this.#lateness = lateness
  }

  hear(reading: Reading): string[] {
    const hearing = this.#rules.filter((written) =>
      written.rule.condition.kind === 'when'
        ? metricsOfRule(written).includes(reading.metric)
        : (written.metric ?? reading.metric) === reading.metric,
    )
    const names = hearing.map((written) => {
      const many = written.rule.condition.kind !== 'when' && written.metric === null
      const name = `${reading.device}/${written.rule.id}${many ? `@${reading.metric}` : ''}`
      if (!this.#alarms.has(name)) this.#alarms.set(name, new Reference(written.rule, this.#lateness))
      return name
    })
    return this.#all((alarm, name) => (names.includes(name) ? alarm.hear(reading) : alarm.tick(reading.received)))
  }

  tick(now: Millis): string[] {
    return this.#all((alarm) => alarm.tick(now))
  }

  #all(ask: (alarm: Reference, name: string) => Said[]): string[] {
    return [...this.#alarms]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, alarm]) => ask(alarm, name).map((said) => wordsOf(name, said)))
  }
}

const wordsOf = (name: string, { kind, number, at, from, to, was, is, reading }: Said): string =>
  JSON.stringify([name, number, `tidegate.alarm.${kind}`, at, from, to, was, is, reading])

/** The same of events, those of one alarm after the other. */
function wordsOfEvents(events: readonly ThresholdEvent[]): string[] {
  return events
    .map(({ device, rule, transition, type, time, data }) => {
      const { state, condition, reading } = data as {
        state: { before: string; after: string }
        condition: { before: string | null; after: string | null }
        reading: Reading
      }
      const words = [transition, type, time, state.before, state.after, condition.before, condition.after, reading]
      return { name: `${device}/${rule}`, words }
    })
    .sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0))
    .map(({ name, words }) => JSON.stringify([name, ...words]))
}

describe('the engine', () => {
  const rules = fc
    .array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 4 })
    .chain((kinds) => fc.tuple(...kinds.map((kind, i) => ruleOf(kind, `r${i}`))))

  it(
    'decides every alarm of a rule set as if there were no other',
    () => {
      let told = 0
      fc.assert(
        fc.property(rules, LATENESS, steps(['d1', 'd2'], false), (written, lateness, all) =>
          unlessTooClose(() => {
            const references = new References(written, lateness)
            const engine = new TestEngine(setOf(lateness, written))
            for (const happens of [...all, { tick: END }]) {
              const said = 'reading' in happens ? references.hear(happens.reading) : references.tick(timeOf(happens))
              const events = 'reading' in happens ? engine.hear(happens.reading) : engine.advance(timeOf(happens))
              expect(wordsOfEvents(events)).toEqual(said)
              told += said.length
            }
          }),
        ),
        { numRuns: SEEDS * RUNS },
      )
      expect(told).toBeGreaterThan(SEEDS * 10)
    },
    TIMEOUT,
  )
})

const timeOf = (happens: Exclude<Happens, { reading: Reading }>): Millis =>
  'tick' in happens ? happens.tick : happens.now
