import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deriveSeed, gaussianAt, uniformAt } from '../../../simulators/signals/index.ts'

describe('chance by index', () => {
  it('is the same number whenever it is looked up', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 2 ** 45 }), (seed, index) => {
        const first = uniformAt(seed, index)
        expect(uniformAt(seed, index)).toBe(first)
        expect(first).toBeGreaterThanOrEqual(0)
        expect(first).toBeLessThan(1)
      }),
    )
  })

  it('never changes between versions, because seeds are written down in bug reports', () => {
    expect([uniformAt(7, 1_700_000_000_000), gaussianAt(7, 3), deriveSeed(7, 'pump')]).toMatchInlineSnapshot(`
      [
        0.265370262786746,
        0.4151744781849629,
        3708410690,
      ]
    `)
  })

  it('is spread evenly over Unix milliseconds one after the other', () => {
    const bins = new Array<number>(10).fill(0)
    for (let i = 0; i < 20_000; i++) {
      const bin = Math.floor(uniformAt(42, 1_700_000_000_000 + i) * 10)
      bins[bin] = (bins[bin] ?? 0) + 1
    }
    for (const count of bins) expect(Math.abs(count - 2_000)).toBeLessThan(250)
  })

  it('differs between seeds and between indices', () => {
    const values = new Set<number>()
    for (let seed = 0; seed < 50; seed++) for (let index = 0; index < 50; index++) values.add(uniformAt(seed, index))
    expect(values.size).toBe(2_500)
  })

  it('gives normal deviates of mean 0 and deviation 1', () => {
    const values = Array.from({ length: 20_000 }, (_, i) => gaussianAt(3, i))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(Math.abs(variance - 1)).toBeLessThan(0.05)
  })
})
