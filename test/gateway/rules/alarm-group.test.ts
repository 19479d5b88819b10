import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Alarm, type Transition } from '../../../gateway/rules/alarm.ts'
import { AlarmGroup } from '../../../gateway/rules/alarm-group.ts'
import type { Condition, Rule } from '../../../gateway/rules/rule.ts'
import type { Reading } from '../../../sync/contract/index.ts'

const NOBODY = { by: null, comment: null }

const RULE: Rule = {
  id: 'r',
  enabled: true,
  severity: 'medium',
  message: '',
  labels: {},
  condition: { kind: 'above', limit: { raise: 80, clear: 75 } },
  for: 0,
  clearFor: 0,
  of: null,
  latch: false,
  reraiseAfter: 0,
  flood: null,
}

const said = (time: number, value: Reading['value'], extra: Partial<Reading> = {}): Reading => ({
  device: 'd',
  metric: 'm',
  value,
  time,
  received: time,
  ...extra,
})

const MISSING: Condition = { kind: 'missing', after: 60 }

function group(rule: Partial<Rule>, lateness = 0, first = said(0, 0)): AlarmGroup {
  const alarms = [new Alarm('r', { ...RULE, ...rule }, 'rev', null, { from: 0 })]
  return new AlarmGroup(alarms, lateness, { newest: {}, at: null, heard: first.received, last: first, waiting: [] })
}

/** What people are told. */
const words = (told: readonly { transition: Transition }[]): string[] =>
  told
    .filter(({ transition }) => transition.announced)
    .map(({ transition: { kind, number, at, reading } }) => `${number} ${kind} ${at} by ${reading.value}`)

function run(it: AlarmGroup, readings: readonly Reading[], end = 0): string[] {
  const told: string[] = []
  const pass = (now: number): void => {
    for (let due = it.due; due !== null && due <= now; due = it.due) told.push(...words(it.pass(due)))
  }
  for (const reading of readings) {
    pass(reading.received)
    told.push(...words(it.apply(reading)))
  }
  pass(end)
  return told
}

describe('alarms of a series', () => {
  it('are raised and cleared with hysteresis, once each, by the readings that did it', () => {
    const readings = [70, 81, 85, 76, 82, 75, 74, 81].map((value, i) => said(i, value))
    expect(run(group({}), readings)).toEqual(['1 raised 1 by 81', '2 cleared 5 by 75', '3 raised 7 by 81'])
  })

  it('take the value as it is until the next one comes', () => {
    const readings = [said(0, 81), said(10, 82), said(100, 70)]
    expect(run(group({ for: 30 }), readings)).toEqual(['1 raised 30 by 82', '2 cleared 100 by 70'])
    expect(run(group({ for: 30 }), [said(0, 81)], 29)).toEqual([])
    expect(run(group({ for: 30 }), [said(0, 81)], 30)).toEqual(['1 raised 30 by 81'])
  })

  it('never change what is decided because of a reading that comes late', () => {
    const readings = [said(10, 81), said(5, 70), said(20, 70), said(15, 99)]
    expect(run(group({}), readings)).toEqual(['1 raised 10 by 81', '2 cleared 20 by 70'])
  })

  it('wait for late readings as long as they are told to, and then decide as if all had come in order', () => {
    const values = fc.array(
      fc.record({ step: fc.integer({ min: 1, max: 9 }), value: fc.integer({ min: 60, max: 90 }), late: fc.nat(20) }),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(values, (steps) => {
        let time = 0
        const inOrder = steps.map(({ step, value, late }) => {
          time += step
          return said(time, value, { received: time + late })
        })
        const asTheyCome = inOrder
          .map((reading, i) => ({ reading, i }))
          .sort((a, b) => a.reading.received - b.reading.received || a.i - b.i)
          .map(({ reading }) => reading)
        expect(run(group({}, 20), asTheyCome, 1000)).toEqual(run(group({}), inOrder, 1000))
      }),
    )
  })

  it('know that a device is silent, and that it is back', () => {
    const readings = [said(0, 1), said(50, 2), said(200, 3)]
    expect(run(group({ condition: MISSING }), readings, 300)).toEqual([
      '1 raised 110 by 2',
      '2 cleared 200 by 3',
      '3 raised 260 by 3',
    ])
  })

  it('hear in a reading that its device does not trust only that there is one', () => {
    const bad = said(50, 99, { quality: 'bad' })
    expect(run(group({}), [said(0, 1), bad])).toEqual([])
    expect(run(group({ condition: MISSING }), [said(0, 1), bad], 100)).toEqual([])
  })

  it('can be shelved, and come back by themselves', () => {
    const it = group({})
    const [alarm] = it.alarms
    if (!alarm) throw new Error('no alarm')
    expect(it.act(alarm, { kind: 'acknowledge' }, 0, NOBODY)).toBeNull()
    expect(it.act(alarm, { kind: 'shelve', until: 100 }, 0, NOBODY)?.transition).toMatchObject({
      kind: 'shelve',
      to: 'shelved',
    })
    expect(run(it, [said(10, 81)], 99)).toEqual([])
    expect(it.pass(100)[0]?.transition).toMatchObject({ kind: 'expired', number: 2, to: 'unacknowledged', is: 'high' })
  })

  it('are the same after being stored and read back at any moment', () => {
    const conditions: Condition[] = [
      RULE.condition,
      MISSING,
      { kind: 'rate', rise: { raise: 3, clear: 1 }, fall: null, per: 1, over: 20 },
      { kind: 'stuck', tolerance: 1, after: 20 },
      { kind: 'deviation', limit: { raise: 2, clear: 1 }, alpha: 0.2, warmup: 3, floor: 0.1 },
    ]
    const steps = fc.array(
      fc.record({ step: fc.integer({ min: 0, max: 30 }), value: fc.integer({ min: 60, max: 90 }) }),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(
        steps,
        fc.constantFrom(...conditions),
        fc.constantFrom(0, 25),
        fc.constantFrom(null, { m: 2, n: 3 }),
        (all, condition, wait, of) => {
          let time = 0
          const readings = all.map(({ step, value }) => {
            time += step
            return said(time, value)
          })
          const rule = { condition, for: wait, of }
          const restored = (it: AlarmGroup): AlarmGroup => {
            const { alarms, ...state } = JSON.parse(JSON.stringify(it)) as ReturnType<AlarmGroup['toJSON']>
            return new AlarmGroup(
              [new Alarm('r', { ...RULE, ...rule }, 'rev', alarms['r'] ?? null, { from: 0 })],
              0,
              state,
            )
          }
          let it = group(rule)
          const told: string[] = []
          for (const reading of readings) {
            told.push(...run(it, [reading]))
            it = restored(it)
          }
          told.push(...run(it, [], 1000))
          expect(told).toEqual(run(group(rule), readings, 1000))
        },
      ),
    )
  })

  it('keep what people were told when their rule changes, and decide anew from there', () => {
    const it = group({})
    run(it, [said(0, 81)])
    const { alarms, ...state } = it.toJSON()
    const other: Rule = { ...RULE, condition: { kind: 'above', limit: { raise: 90, clear: 90 } } }
    const changed = new AlarmGroup([new Alarm('r', other, 'rev2', alarms['r'] ?? null, { from: 0 })], 0, state)
    expect(run(changed, [said(1, 85)])).toEqual(['2 cleared 1 by 85'])
  })
})
