import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Pace } from '../../../sync/forward/pace.ts'
import { PackSize } from '../../../sync/forward/pack-size.ts'
import { Backoff } from '../../../sync/runtime/backoff.ts'
import { Breaker } from '../../../sync/runtime/breaker.ts'
import { seededRandom } from '../../../sync/runtime/index.ts'

describe('Backoff', () => {
  it('doubles its ceiling from min to max, with full jitter between, and starts again after a reset', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 100_000 }),
        (seed, min, max) => {
          const backoff = new Backoff({ min, max }, seededRandom(seed))
          for (const _ of [1, 2]) {
            for (let n = 0; n < 40; n++) {
              const delay = backoff.next()
              const ceiling = Math.min(max, min * 2 ** n)
              expect(delay).toBeGreaterThanOrEqual(Math.min(min, max))
              expect(delay).toBeLessThanOrEqual(Math.max(ceiling, Math.min(min, max)))
            }
            backoff.reset()
          }
        },
      ),
    )
  })

  it('spreads evenly up to its ceiling', () => {
    const random = seededRandom(1)
    const delays = Array.from({ length: 2000 }, () => {
      const backoff = new Backoff({ min: 100, max: 10_000 }, random)
      for (let n = 0; n < 20; n++) backoff.next()
      return backoff.next()
    })
    for (const [from, to] of [
      [100, 3400],
      [3400, 6700],
      [6700, 10_000],
    ] as const) {
      const share = delays.filter((delay) => delay >= from && delay < to).length / delays.length
      expect(share).toBeGreaterThan(0.28)
      expect(share).toBeLessThan(0.39)
    }
  })
})

describe('Breaker', () => {
  function setup() {
    let now = 0
    const breaker = new Breaker({ failures: 3, cooldown: 1000 }, () => now)
    return { breaker, pass: (duration: number) => (now += duration) }
  }

  it('opens after some failures in a row, not in all', () => {
    const { breaker } = setup()
    for (let n = 0; n < 10; n++) {
      breaker.failed()
      breaker.failed()
      expect(breaker.state).toBe('closed')
      expect(breaker.wait).toBe(0)
      breaker.succeeded()
    }
    for (let n = 0; n < 3; n++) breaker.failed()
    expect(breaker.state).toBe('open')
    expect(breaker.wait).toBe(1000)
  })

  it('lets one attempt through after the cooldown: success closes it, failure opens it again', () => {
    const { breaker, pass } = setup()
    for (let n = 0; n < 3; n++) breaker.failed()
    pass(999)
    expect(breaker.state).toBe('open')
    expect(breaker.wait).toBe(1)
    pass(1)
    expect(breaker.state).toBe('half-open')
    expect(breaker.wait).toBe(0)
    breaker.failed()
    expect(breaker.state).toBe('open')
    expect(breaker.wait).toBe(1000)
    pass(1500)
    expect(breaker.state).toBe('half-open')
    breaker.succeeded()
    expect(breaker.state).toBe('closed')
    breaker.failed()
    expect(breaker.state).toBe('closed')
  })
})

describe('Pace', () => {
  it('never exceeds its rates for long, and never makes anyone wait longer than they ask for', () => {
    const packs = fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(300)), { minLength: 2, maxLength: 60 })
    const rates = fc.record({
      bytesPerSecond: fc.integer({ min: 1000, max: 50_000 }),
      packsPerSecond: fc.integer({ min: 1, max: 50 }),
    })
    fc.assert(
      fc.property(packs, rates, (all, { bytesPerSecond, packsPerSecond }) => {
        let now = 0
        const pace = new Pace({ bytesPerSecond, packsPerSecond }, () => now)
        const sent: { at: number; bytes: number }[] = []
        for (const [bytes, idle] of all) {
          now += idle
          const wait = pace.take(bytes)
          const before = sent.at(-1)
          const due = before ? before.at + Math.max((before.bytes / bytesPerSecond) * 1000, 1000 / packsPerSecond) : now
          expect(now + wait).toBeLessThanOrEqual(Math.max(now, due) + 1e-6)
          now += wait
          sent.push({ at: now, bytes })
        }
        const largest = Math.max(...sent.map(({ bytes }) => bytes))
        for (const [i, { at }] of sent.entries()) {
          const after = sent.slice(i, -1)
          const elapsed = (sent.at(-1)?.at ?? at) - at
          const bytes = after.reduce((sum, other) => sum + other.bytes, 0) - largest
          expect(bytes).toBeLessThanOrEqual((elapsed / 1000) * bytesPerSecond + 1e-6)
          expect(after.length - 1).toBeLessThanOrEqual((elapsed / 1000) * packsPerSecond + 1e-6)
        }
      }),
    )
  })

  it('without limits never waits', () => {
    const pace = new Pace(
      { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY },
      () => 0,
    )
    for (let n = 0; n < 100; n++) expect(pace.take(1e6)).toBe(0)
  })
})

describe('PackSize', () => {
  const settings = { minBytes: 4096, maxBytes: 1_000_000, target: 50 }

  /** Sends a small pack and then full ones over a link of this width and length; returns the size that they end at. */
  function settle(size: PackSize, bytesPerMs: number, delay: number, packs = 1000): number {
    size.acknowledged(settings.minBytes, delay + settings.minBytes / bytesPerMs)
    for (let n = 0; n < packs; n++) {
      const bytes = size.bytes(10_000_000)
      size.acknowledged(bytes, delay + bytes / bytesPerMs)
    }
    return size.bytes(10_000_000)
  }

  it('stays between its bounds and below what the server takes, whatever happens', () => {
    const event = fc.oneof(
      fc.record({ filled: fc.nat(2_000_000), roundTrip: fc.float({ min: 0, max: 100_000, noNaN: true }) }),
      fc.constant(null),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), fc.integer({ min: 1, max: 2_000_000 }), (events, limit) => {
        const size = new PackSize(settings)
        for (const one of events) {
          if (one) size.acknowledged(one.filled, one.roundTrip)
          else size.failed()
          const bytes = size.bytes(limit)
          expect(bytes).toBeLessThanOrEqual(Math.min(settings.maxBytes, limit))
          expect(bytes).toBeGreaterThanOrEqual(Math.min(settings.minBytes, limit))
        }
      }),
    )
  })

  it('grows to its maximum on a wide link, near or far', () => {
    expect(settle(new PackSize(settings), 100_000, 1)).toBe(settings.maxBytes)
    expect(settle(new PackSize(settings), 100_000, 300)).toBe(settings.maxBytes)
  })

  it('shrinks on a thin link until a pack takes about as long as it should', () => {
    const bytes = settle(new PackSize(settings), 100, 5)
    expect(bytes / 100).toBeLessThan(settings.target * 5)
    expect(bytes).toBeGreaterThanOrEqual(settings.minBytes)
    expect(bytes).toBeLessThan(64 * 1024)
  })

  it('follows a link that becomes another', () => {
    const size = new PackSize(settings)
    const thin = settle(size, 100, 5)
    expect(settle(size, 100_000, 5)).toBe(settings.maxBytes)
    expect(settle(size, 100, 5)).toBeLessThanOrEqual(thin)
    // A detour makes the way long for good: small packs tell.
    for (let n = 0; n < 100; n++) size.acknowledged(200, 400)
    expect(settle(size, 100_000, 400)).toBe(settings.maxBytes)
  })

  it('does not grow by packs that were hardly filled', () => {
    const size = new PackSize(settings)
    const before = size.bytes(10_000_000)
    for (let n = 0; n < 50; n++) size.acknowledged(200, 1)
    expect(size.bytes(10_000_000)).toBe(before)
  })

  it('is careful after an unknown outcome', () => {
    const size = new PackSize(settings)
    settle(size, 100_000, 1)
    size.failed()
    expect(size.bytes(10_000_000)).toBe(settings.minBytes)
  })
})
