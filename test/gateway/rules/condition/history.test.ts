import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deviationOf } from '../../../../gateway/rules/condition/deviation.ts'
import { evaluate, freshMemory, mOfN, type Recent } from '../../../../gateway/rules/condition/index.ts'
import { type RateState, rateOf, tooFast } from '../../../../gateway/rules/condition/rate.ts'
import type { Condition } from '../../../../gateway/rules/rule.ts'

describe('a rate of change', () => {
  it('is the slope of a straight line, whatever the moments of its readings', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 5, maxLength: 300 }), (steps) => {
        const state: RateState = { points: [] }
        let time = 1_700_000_000_000
        for (const step of steps) {
          time += step
          const rate = rateOf(state, time, (time - 1_700_000_000_000) * 0.002, 60_000, 10_000)
          if (rate !== null) expect(rate).toBeCloseTo(120, 6)
          expect(state.points.length).toBeLessThan(70)
        }
      }),
    )
  })

  it('is unknown until the readings reach back half of its window', () => {
    const state: RateState = { points: [] }
    expect([0, 100, 4999, 5000].map((time) => rateOf(state, time, time, 1000, 10_000))).toEqual([
      null,
      null,
      null,
      1000,
    ])
  })

  it('forgets what is older than its window', () => {
    const state: RateState = { points: [] }
    for (let time = 0; time <= 60_000; time += 1000) rateOf(state, time, 50, 1000, 10_000)
    expect(rateOf(state, 61_000, 150, 1000, 10_000)).toBeCloseTo(10)
  })

  it('takes the last reading of a moment for the value of that moment', () => {
    const state: RateState = { points: [] }
    const readings: [time: number, value: number][] = [
      [0, 1],
      [0, 5],
      [10, 7],
      [10, 9],
      [20, 10],
    ]
    expect(readings.map(([time, value]) => rateOf(state, time, value, 1, 10))).toEqual([null, null, 0.2, 0.4, 0.1])
  })

  it('can be too fast up and down', () => {
    const [rise, fall] = [
      { raise: 5, clear: 3 },
      { raise: 2, clear: 2 },
    ]
    expect([6, 4, 3, -3, -2].map((rate) => tooFast(rate, rise, fall, 'rise'))).toEqual([
      'rise',
      'rise',
      null,
      'fall',
      null,
    ])
  })
})

describe('a deviation', () => {
  it('is told from the mean and variance of what came before', () => {
    const state = { mean: 0, variance: 0, count: 0 }
    const settings = { alpha: 0.1, warmup: 3, floor: 0 }
    const values = [10, 12, 11, 13, 30]
    const told = values.map((value) => deviationOf(state, value, settings))
    expect(told.slice(0, 3)).toEqual([null, null, null])
    // By the definition: weights 0.1 for the newest, 0.9 for all before.
    let [mean, square] = [10, 100]
    for (const value of [12, 11]) [mean, square] = [0.9 * mean + 0.1 * value, 0.9 * square + 0.1 * value * value]
    expect(told[3]).toBeCloseTo(Math.abs(13 - mean) / Math.sqrt(square - mean * mean), 9)
    expect(told[4]).toBeGreaterThan(10)
  })

  it('has a floor: what trembles less is none', () => {
    const state = { mean: 5, variance: 0, count: 10 }
    expect(deviationOf({ ...state }, 5.1, { alpha: 0.1, warmup: 1, floor: 1 })).toBeCloseTo(0.1)
    expect(deviationOf({ ...state }, 5.1, { alpha: 0.1, warmup: 1, floor: 0 })).toBe(Number.POSITIVE_INFINITY)
    expect(deviationOf({ ...state }, 5, { alpha: 0.1, warmup: 1, floor: 0 })).toBe(0)
  })
})

describe('a stuck value', () => {
  const walk = (condition: Condition, values: readonly [number, number | string | boolean][]): unknown[] => {
    const [first] = values
    const memory = freshMemory(condition, { time: first?.[0] ?? 0, value: first?.[1] ?? 0 })
    return values.map(([time, value]) => evaluate(condition, memory, 'm', { time, value }, null))
  }

  it('is one that stays within its tolerance of where it was', () => {
    const condition = { kind: 'stuck', tolerance: 1, after: 100 } as const
    expect(
      walk(condition, [
        [0, 10],
        [50, 10.9],
        [100, 9.1],
        [110, 12],
        [209, 12.5],
        [210, 11.5],
      ]),
    ).toEqual([null, null, 'stuck', null, null, 'stuck'])
  })

  it('may be a text', () => {
    const condition = { kind: 'stuck', tolerance: 0, after: 10 } as const
    expect(
      walk(condition, [
        [0, 'a'],
        [10, 'a'],
        [11, 'b'],
      ]),
    ).toEqual([null, 'stuck', null])
  })
})

describe('m of n', () => {
  it('is the newest of what enough of the last readings showed', () => {
    const recent: Recent = []
    const shown = ['hi', null, 'hi', 'hihi', null, null, null]
    expect(shown.map((one) => mOfN(recent, one, { m: 2, n: 3 }))).toEqual([
      null,
      null,
      'hi',
      'hihi',
      'hihi',
      null,
      null,
    ])
  })
})

describe('a reading that says nothing about a condition', () => {
  it('is text where a number is needed; truth values count', () => {
    const condition = { kind: 'above', limit: { raise: 0.5, clear: 0.5 } } as const
    const shown = (value: string | boolean) => evaluate(condition, null, 'm', { time: 0, value }, null)
    expect([shown('hot'), shown(true), shown(false)]).toEqual([undefined, 'high', null])
  })
})
