import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAbove, isBelow, isInside, ladder, outside } from '../../../../gateway/rules/condition/levels.ts'

const value = fc.integer({ min: -50, max: 150 })

describe('a level with hysteresis', () => {
  it('is active above raise, not active at or below clear, and as it was in between', () => {
    fc.assert(
      fc.property(value, fc.boolean(), (now, active) => {
        const limit = { raise: 80, clear: 70 }
        expect(isAbove(now, limit, active)).toBe(now > 80 ? true : now <= 70 ? false : active)
        expect(isBelow(now, { raise: 10, clear: 20 }, active)).toBe(now < 10 ? true : now >= 20 ? false : active)
      }),
    )
  })

  it('can be that of a band, on both sides', () => {
    const [low, high] = [
      { raise: 10, clear: 20 },
      { raise: 80, clear: 70 },
    ]
    fc.assert(
      fc.property(value, fc.constantFrom(null, 'low', 'high'), (now, active) => {
        const expected =
          now > 80 || (active === 'high' && now > 70)
            ? 'high'
            : now < 10 || (active === 'low' && now < 20)
              ? 'low'
              : null
        expect(outside(now, low, high, active)).toBe(expected)
      }),
    )
    expect(
      [40, 35, 60, 65, 66].map((now) => isInside(now, { raise: 40, clear: 35 }, { raise: 60, clear: 65 }, false)),
    ).toEqual([true, false, true, false, false])
    expect(
      [40, 35, 60, 65, 66].map((now) => isInside(now, { raise: 40, clear: 35 }, { raise: 60, clear: 65 }, true)),
    ).toEqual([true, true, true, true, false])
  })
})

describe('a ladder', () => {
  const steps = {
    lolo: { raise: 0, clear: 5, severity: 'high' as const },
    lo: { raise: 10, clear: 15, severity: 'low' as const },
    hi: { raise: 80, clear: 75, severity: 'low' as const },
    hihi: { raise: 90, clear: 85, severity: 'high' as const },
  }
  const walk = (values: readonly number[]): (string | null)[] => {
    let active: string | null = null
    return values.map((now) => {
      active = ladder(now, steps, active)
      return active
    })
  }

  it('goes up and down step by step, each with its own hysteresis', () => {
    expect(walk([50, 81, 76, 91, 86, 85, 76, 75])).toEqual([null, 'hi', 'hi', 'hihi', 'hihi', 'hi', 'hi', null])
    expect(walk([50, 9, -1, 4, 5, 14, 15])).toEqual([null, 'lo', 'lolo', 'lolo', 'lo', 'lo', null])
  })

  it('can jump over steps', () => {
    expect(walk([50, 99, -9, 99, 50])).toEqual([null, 'hihi', 'lolo', 'hihi', null])
  })

  it('needs not have all of them', () => {
    expect(ladder(95, { hihi: steps.hihi }, null)).toBe('hihi')
    expect(ladder(95, { lo: steps.lo }, null)).toBeNull()
  })
})
