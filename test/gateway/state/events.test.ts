import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import { encodeLine, type Millis, type Reading, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { Stored } from './stored.ts'

const RULE_SETS = [
  { rules: [] },
  {
    rules: [
      { id: 'hot', match: { metric: 'a' }, above: { raise: 70, clear: 60 }, for: '20ms', clearFor: '10ms' },
      { id: 'steps', match: {}, ladder: { lo: 20, hi: 80, hihi: 90 }, flood: { alarms: 2, within: '80ms' } },
      { id: 'silent', match: {}, missing: { after: '60ms' } },
      { id: 'unusual', match: { metric: 'b' }, deviation: { sigmas: 2, warmup: 3 } },
      {
        id: 'both',
        match: {},
        when: {
          all: [
            { metric: 'a', above: 50 },
            { metric: 'b', above: 50 },
          ],
        },
        for: '5ms',
      },
    ],
  },
  {
    lateness: '10ms',
    rules: [
      { id: 'hot', match: { metric: 'a' }, above: { raise: 50, clear: 40 }, latch: true },
      { id: 'steps', match: {}, ladder: { lo: 20, hi: 80, hihi: 90 } },
      { id: 'often', match: { device: 'd1' }, above: 50, of: { m: 2, n: 3 }, reraiseAfter: '30ms' },
    ],
  },
]

type Step =
  | { kind: 'reading'; device: string; metric: string; value: number; late: Millis; label: string | undefined }
  | { kind: 'tick' }
  | { kind: 'act'; device: string; alarm: string; action: 'acknowledge' | 'shelve' | 'reset' | 'unshelve' }
  | { kind: 'rules'; set: 'one' | 'other'; which: number }
  | { kind: 'commit'; records: number }
  | { kind: 'crash' }

const step: fc.Arbitrary<Step & { wait: Millis }> = fc
  .tuple(
    fc.nat(25),
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          kind: fc.constant('reading' as const),
          device: fc.constantFrom('d1', 'd2'),
          metric: fc.constantFrom('a', 'b'),
          value: fc.integer({ min: 0, max: 100 }),
          late: fc.nat(15),
          label: fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, fc.constant('x')),
        }),
      },
      { weight: 3, arbitrary: fc.constant({ kind: 'tick' as const }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('act' as const),
          device: fc.constantFrom('d1', 'd2'),
          alarm: fc.constantFrom('hot', 'steps@a', 'steps@b', 'both'),
          action: fc.constantFrom('acknowledge', 'shelve', 'reset', 'unshelve'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('rules' as const),
          set: fc.constantFrom('one', 'one', 'one', 'other'),
          which: fc.nat(RULE_SETS.length - 1),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('commit' as const), records: fc.constantFrom(0, 1, 10_000) }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
    ),
  )
  .map(([wait, one]) => ({ ...one, wait }) as Step & { wait: Millis })

const SETTINGS = { dedupeWindow: 4, maxSeries: 1000, gateway: 'gw' }

/** Does one step at a time, and says what is to be told. */
function perform(machine: StateMachine, one: Step, now: Millis, offset: number): readonly ThresholdEvent[] {
  switch (one.kind) {
    case 'reading':
      return machine.apply(readingOf(one, now), offset)
    case 'tick':
      return machine.advance(now)
    case 'act': {
      const action = one.action === 'shelve' ? { kind: one.action, until: now + 50 } : { kind: one.action }
      return machine.act(one.device, one.alarm, action, now, { by: 'somebody', comment: null }).events
    }
    case 'rules': {
      // Both sets may hold at once: ids are unique over all of them.
      const { rules = [], ...rest } = RULE_SETS[one.which] ?? { rules: [] }
      const given = {
        ...rest,
        rules: rules.map((rule) => ({ ...rule, id: one.set === 'one' ? rule.id : `${rule.id}2` })),
      }
      return machine.changeRules(one.set, given, ruleSetSchema.parse(given), now)
    }
    default:
      return []
  }
}

const readingOf = ({ device, metric, value, late, label }: Step & { kind: 'reading' }, now: Millis): Reading => ({
  device,
  metric,
  value,
  time: now - late,
  received: now,
  ...(label === undefined ? {} : { labels: { label } }),
})

const RUNS = Number(process.env['TEST_SEEDS'] ?? 20) * 20

describe('events', () => {
  it('are decided once, whenever the gateway dies: as if it had never lived through what was not committed', async () => {
    let told = 0
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.array(step, { maxLength: 150, size: 'max' }), async (first, steps) => {
        const stored = new Stored()
        const durable: ThresholdEvent[] = []
        let machine = new StateMachine(SETTINGS)
        await machine.rebuild(stored)
        machine.resume(1000)
        let uncommitted: { one: Step; now: Millis; offset: number; line: string | null; events: ThresholdEvent[] }[] =
          []

        const steady = new StateMachine(SETTINGS)
        steady.resume(1000)
        const expected: ThresholdEvent[] = []

        let now = 1000
        let next = 0
        for (const { wait, ...one } of [{ kind: 'rules', set: 'one', which: first, wait: 0 } as const, ...steps]) {
          now += wait
          if (one.kind === 'crash') {
            uncommitted = []
            next = stored.lines.length
            machine = new StateMachine(SETTINGS)
            await machine.rebuild(stored)
            machine.resume(now)
            steady.resume(now)
          } else if (one.kind === 'commit') {
            for (const done of uncommitted) {
              if (done.line !== null) stored.lines.push(done.line)
              durable.push(...done.events)
              expected.push(...perform(steady, done.one, done.now, done.offset))
            }
            uncommitted = []
            stored.commit(machine, one.records)
          } else {
            const line = one.kind === 'reading' ? encodeLine(readingOf(one, now)) : null
            const offset = next
            if (line !== null) next++
            uncommitted.push({ one, now, offset, line, events: [...perform(machine, one, now, offset)] })
          }
        }
        expect(durable).toEqual(expected)
        told += durable.length
        const numbers = new Map<string, number>()
        for (const { device, rule, since, transition, id } of durable) {
          const series = `${device}/${rule}/${since}`
          expect(id).toBe(`${series}/${transition}`)
          expect(transition).toBe((numbers.get(series) ?? 0) + 1)
          numbers.set(series, transition)
        }
      }),
      { numRuns: RUNS },
    )
    expect(told).toBeGreaterThan(RUNS * 5)
  })
})
