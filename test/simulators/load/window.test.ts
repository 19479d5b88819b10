import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Window } from '../../../simulators/load/window.ts'

type Step = { do: 'take'; wanted: number } | { do: 'ack'; slot: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('take' as const), wanted: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ do: fc.constant('ack' as const), slot: fc.integer({ min: 0, max: 9 }) }),
)

describe('the window of a load connection', () => {
  it('hands out slots in order, never one in flight, and counts what is acknowledged without a gap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 150 }), (slots, steps) => {
        const window = new Window(slots)
        /** Reading numbers in flight, oldest first; acknowledged ones stay until all older ones are. */
        let flying: { reading: number; slot: number; acked: boolean }[] = []
        let [sent, acknowledged, inOrder] = [0, 0, 0]
        for (const action of steps) {
          if (action.do === 'take') {
            const run = window.take(action.wanted, sent)
            expect(run.count).toBeLessThanOrEqual(action.wanted)
            if (flying.length < slots) expect(run.count).toBeGreaterThan(0)
            for (let i = 0; i < run.count; i++) {
              const slot = run.first + i
              expect(slot).toBe(sent % slots)
              expect(flying.some((reading) => reading.slot === slot)).toBe(false)
              flying.push({ reading: sent++, slot, acked: false })
            }
          } else {
            const found = flying.find((reading) => reading.slot === action.slot && !reading.acked)
            const sentAt = window.acknowledge(action.slot)
            expect(sentAt >= 0).toBe(found !== undefined)
            if (found !== undefined) {
              found.acked = true
              acknowledged++
            }
            while (flying[0]?.acked === true) {
              flying = flying.slice(1)
              inOrder++
            }
          }
          expect(window.inFlight).toBe(flying.length)
          expect(window.room).toBe(slots - flying.length)
          expect([window.sent, window.acknowledged, window.acknowledgedInOrder]).toEqual([sent, acknowledged, inOrder])
          const pending = window
            .unacknowledged()
            .flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i))
          expect(pending).toEqual(flying.map(({ slot }) => slot))
        }
      }),
    )
  })

  it('has room for no more than its limit, which may come while more are in flight', () => {
    const window = new Window(5)
    window.take(4, 0)
    window.limit(2)
    expect(window.room).toBe(0)
    expect(window.take(1, 0).count).toBe(0)
    for (const slot of [0, 1, 2]) window.acknowledge(slot)
    expect([window.room, window.take(9, 0)]).toEqual([1, { first: 4, count: 1 }])
    window.limit(65_535)
    expect(window.room).toBe(3)
  })
})
