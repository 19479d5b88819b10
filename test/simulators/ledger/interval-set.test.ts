import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeIntervals, IntervalSet } from '../../../simulators/ledger/index.ts'

const range = fc
  .tuple(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 12 }))
  .map(([from, length]) => ({ from, to: from + length }))

const build = (ranges: readonly { from: number; to: number }[]): { set: IntervalSet; model: Set<number> } => {
  const set = new IntervalSet()
  const model = new Set<number>()
  for (const { from, to } of ranges) {
    const before = model.size
    for (let value = from; value <= to; value++) model.add(value)
    expect(set.addRange(from, to)).toBe(model.size - before)
  }
  return { set, model }
}

const members = (set: IntervalSet): number[] =>
  [...set.intervals()].flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))

describe('IntervalSet', () => {
  it('holds what a Set holds, in the fewest intervals', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 60 }), (ranges) => {
        const { set, model } = build(ranges)
        const sorted = [...model].sort((a, b) => a - b)
        expect(members(set)).toEqual(sorted)
        expect(set.size).toBe(model.size)
        expect(set.max).toBe(sorted.at(-1) ?? -1)
        expect(set.intervalCount).toBe(
          sorted.filter((value, i) => i === 0 || value !== (sorted[i - 1] ?? 0) + 1).length,
        )
        for (let value = -1; value < 135; value++) expect(set.has(value)).toBe(model.has(value))
      }),
    )
  })

  it('says of every single number whether it is new', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200 }), (values) => {
        const set = new IntervalSet()
        const model = new Set<number>()
        for (const value of values) {
          expect(set.add(value)).toBe(!model.has(value))
          model.add(value)
        }
        expect(members(set)).toEqual([...model].sort((a, b) => a - b))
      }),
    )
  })

  it('subtracts other sets as a Set does', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 30 }),
        fc.array(range, { maxLength: 30 }),
        fc.array(range, { maxLength: 10 }),
        (first, second, third) => {
          const [a, b, c] = [build(first), build(second), build(third)]
          const expected = [...a.model].filter((value) => !b.model.has(value) && !c.model.has(value))
          expect(members(a.set.without(b.set, c.set))).toEqual(expected.sort((x, y) => x - y))
          expect(a.set.size).toBe(a.model.size)
        },
      ),
    )
  })

  it('refuses what is no range of whole numbers', () => {
    expect(() => new IntervalSet().addRange(3, 2)).toThrow(RangeError)
    expect(() => new IntervalSet().add(1.5)).toThrow(RangeError)
    expect(() => new IntervalSet().add(Number.NaN)).toThrow(RangeError)
  })

  it('describes itself to people, not at any length', () => {
    const { set } = build([
      { from: 1, to: 3 },
      { from: 7, to: 7 },
      { from: 9, to: 10 },
    ])
    expect(describeIntervals(set)).toBe('1-3, 7, 9-10')
    expect(describeIntervals(set, 1)).toBe('1-3 and 2 more')
    expect(describeIntervals(new IntervalSet())).toBe('')
  })
})
