import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram } from '../../../simulators/load/index.ts'

const micros = fc.array(fc.integer({ min: 0, max: 100_000_000 }), { minLength: 1, maxLength: 200 })

const of = (values: readonly number[]): Histogram => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

describe('Histogram', () => {
  it('knows every quantile to within 1/32', () => {
    fc.assert(
      fc.property(micros, fc.double({ min: 0.001, max: 1, noNaN: true }), (values, fraction) => {
        const sorted = [...values].sort((a, b) => a - b)
        const exact = sorted[Math.ceil(sorted.length * fraction) - 1] ?? 0
        const found = of(values).quantile(fraction)
        expect(found).toBeGreaterThanOrEqual(exact)
        expect(found).toBeLessThanOrEqual(exact * (1 + 1 / 32) + 1)
      }),
    )
  })

  it('merged, or copied through a thread, is the histogram of all', () => {
    fc.assert(
      fc.property(micros, micros, (first, second) => {
        const merged = of(first)
        const { counts, max } = of(second).toTransfer()
        merged.merge(new Histogram(counts, max))
        const both = of([...first, ...second])
        expect([merged.total, merged.max]).toEqual([both.total, both.max])
        for (const fraction of [0.1, 0.5, 0.99, 1]) expect(merged.quantile(fraction)).toBe(both.quantile(fraction))
      }),
    )
  })

  it('without its beginning is the histogram of the rest', () => {
    fc.assert(
      fc.property(micros, micros, (first, second) => {
        const histogram = of(first)
        const earlier = histogram.copy()
        for (const value of second) histogram.record(value)
        const rest = histogram.without(earlier)
        expect(rest.total).toBe(second.length)
        expect(Math.min(rest.quantile(0.5), of(second).max)).toBe(of(second).quantile(0.5))
      }),
    )
  })

  it('of nothing is 0', () => {
    expect([new Histogram().quantile(0.5), new Histogram().max, new Histogram().total]).toEqual([0, 0, 0])
  })
})
