import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Gaps } from '../../../gateway/outbox/gaps.ts'
import type { Gap } from '../../../sync/forward/index.ts'

const END = 60
const gap = fc
  .tuple(fc.nat(END), fc.nat(12), fc.constantFrom('evicted' as const, 'damaged' as const, 'repeated' as const))
  .map(([from, length, reason]): Gap => ({ from, to: from + length, reason }))

/** Slow and obviously right: one reason an offset. */
class Reference {
  readonly reasons = new Map<number, Gap['reason']>()

  declare({ from, to, reason }: Gap): number[] {
    const fresh: number[] = []
    for (let offset = from; offset <= to; offset++) {
      if (this.reasons.has(offset)) continue
      this.reasons.set(offset, reason)
      fresh.push(offset)
    }
    return fresh
  }

  forgetBefore(offset: number): void {
    for (const at of [...this.reasons.keys()]) if (at < offset) this.reasons.delete(at)
  }
}

const offsetsOf = (gaps: readonly { from: number; to: number }[]): number[] =>
  gaps.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i))

const step = fc.oneof({ weight: 5, arbitrary: gap }, { weight: 1, arbitrary: fc.nat(END) })

describe('Gaps', () => {
  it('knows what a set of offsets knows, and what is stored of it says the same', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(END), fc.nat(END), (steps, from, length) => {
        const gaps = new Gaps()
        const reference = new Reference()
        const stored = new Map<number, Gap>()
        for (const one of steps) {
          if (typeof one === 'number') {
            const cut = gaps.forgetBefore(one)
            reference.forgetBefore(one)
            for (const at of [...stored.keys()]) if (at < one) stored.delete(at)
            if (cut) stored.set(cut.from, cut)
          } else {
            const change = gaps.declare(one)
            expect(offsetsOf(change.fresh)).toEqual(reference.declare(one))
            for (const at of change.gone) stored.delete(at)
            for (const entry of change.put) stored.set(entry.from, entry)
          }
        }

        const to = from + length
        const expected = [...reference.reasons].sort(([a], [b]) => a - b)
        expect(gaps.all.flatMap((entry) => offsetsOf([entry]).map((at) => [at, entry.reason]))).toEqual(expected)
        expect([...stored.values()].sort((a, b) => a.from - b.from)).toEqual(gaps.all)
        expect(offsetsOf(gaps.within(from, to))).toEqual(
          expected.map(([at]) => at).filter((at) => at >= from && at <= to),
        )
        expect(offsetsOf(gaps.undeclared(from, to))).toEqual(
          offsetsOf([{ from, to }]).filter((at) => !reference.reasons.has(at)),
        )
        expect(gaps.has(from)).toBe(reference.reasons.has(from))
        expect(gaps.missingFrom(from)).toBe(expected.filter(([at]) => at >= from).length)
        expect(gaps.lostFrom(from)).toBe(expected.filter(([at, why]) => at >= from && why !== 'repeated').length)
        expect(gaps.lost(from)).toBe(expected.some(([at, why]) => at === from && why !== 'repeated'))
        expect(gaps.end).toBe((expected.at(-1)?.[0] ?? -1) + 1)
      }),
      { numRuns: 500 },
    )
  })

  it('joins neighbours of the same reason on both sides, so that a lost stretch is one entry', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 30 }, (_, i) => i),
          { minLength: 30 },
        ),
        (order) => {
          const gaps = new Gaps()
          for (const at of order) gaps.declare({ from: at, to: at, reason: 'evicted' })
          expect(gaps.all).toEqual([{ from: 0, to: 29, reason: 'evicted' }])
        },
      ),
    )
  })
})
