import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Seen } from '../../../gateway/state/seen.ts'

/** Numbers around each other, so that holes appear, split and close. */
const numbers = fc.array(fc.nat(60), { minLength: 1, maxLength: 80 })

describe('Seen', () => {
  it('knows exactly the numbers that were added, in whatever order', () => {
    fc.assert(
      fc.property(numbers, ([first = 0, ...rest]) => {
        const seen = Seen.from(first)
        const reference = new Set([first])
        for (const number of rest) {
          expect(seen.has(number)).toBe(reference.has(number))
          seen.add(number)
          reference.add(number)
        }
        for (let number = 0; number <= 62; number++) expect(seen.has(number)).toBe(reference.has(number))
        expect(seen.max).toBe(Math.max(...reference))
      }),
    )
  })

  it('survives being stored at any moment', () => {
    fc.assert(
      fc.property(numbers, numbers, ([first = 0, ...before], after) => {
        const seen = Seen.from(first)
        for (const number of before) seen.add(number)
        const restored = new Seen(JSON.parse(JSON.stringify(seen.toJSON())))
        for (const number of after) {
          expect(restored.has(number)).toBe(seen.has(number))
          seen.add(number)
          restored.add(number)
        }
        expect(restored.toJSON()).toEqual(seen.toJSON())
      }),
    )
  })

  it('never takes what it has seen for new, however many holes there are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(5000), { minLength: 200, maxLength: 600 }), (all) => {
        const seen = Seen.from(all[0] ?? 0)
        for (const number of all) seen.add(number)
        for (const number of all) expect(seen.has(number)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('stays small with a counter that is shared by many series', () => {
    const seen = Seen.from(0)
    for (let number = 0; number < 1_000_000; number += 10) seen.add(number)
    expect(seen.toJSON().holes.length).toBeLessThanOrEqual(64)
    expect(seen.has(1_000_000)).toBe(false)
  })

  it('keeps the hole of an outage open among the small holes of a shared counter', () => {
    const seen = Seen.from(0)
    for (let number = 0; number < 10_000; number += 10) seen.add(number)
    // An outage: 100 readings of this series are still in the device.
    for (let number = 11_000; number < 50_000; number += 10) seen.add(number)
    for (let number = 10_000; number < 11_000; number += 10) {
      expect(seen.has(number)).toBe(false)
      seen.add(number)
      expect(seen.has(number)).toBe(true)
    }
  })
})
