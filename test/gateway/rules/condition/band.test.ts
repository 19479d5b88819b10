import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluate, restBand } from '../../../../gateway/rules/condition/index.ts'
import { CONDITIONS, KINDS } from '../model/arbitrary.ts'

const value = fc.integer({ min: -4, max: 30 }).map((half) => half / 2)

describe('the numbers at which a condition rests', () => {
  it.each(KINDS)('are all at which it shows nothing while it does not hold, and no others: %s', (kind) => {
    fc.assert(
      fc.property(CONDITIONS[kind], value, ({ condition }, now) => {
        const band = restBand(condition)
        expect(band === null).toBe(['inside', 'rate', 'stuck', 'deviation', 'when'].includes(kind))
        if (band === null) return
        const shown = evaluate(condition, null, 'a', { value: now, time: 0 }, null)
        expect(shown === null).toBe(now >= band.from && now <= band.to)
      }),
    )
  })
})
