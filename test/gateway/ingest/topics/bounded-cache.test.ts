import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedCache } from '../../../../gateway/ingest/topics/bounded-cache.ts'

describe('BoundedCache', () => {
  it('never holds more than its capacity, and never a wrong value', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 30 })), { maxLength: 300 })
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), steps, (capacity, list) => {
        const cache = new BoundedCache<number>(capacity)
        const latest = new Map<string, number>()
        list.forEach(([write, number], i) => {
          const key = `k${number}`
          if (write) {
            cache.set(key, i)
            latest.set(key, i)
            expect(cache.get(key)).toBe(i)
          } else expect([undefined, latest.get(key)]).toContain(cache.get(key))
          expect(cache.size).toBeLessThanOrEqual(capacity)
        })
      }),
    )
  })

  it('keeps what is read more often than half its capacity is filled', () => {
    const cache = new BoundedCache<string>(10)
    cache.set('hot', 'x')
    for (let i = 0; i < 1000; i++) {
      cache.set(`cold-${i}`, 'y')
      if (i % 4 === 0) expect(cache.get('hot')).toBe('x')
    }
  })
})
