import type { Offset } from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'

/** The declared holes of a lane, in offset order, not overlapping; neighbours of the same reason are one. */
export class Gaps {
  #gaps: Gap[] = []

  /** Adds a hole that does not overlap those already declared; returns the entry as it now stands. */
  add(gap: Gap): Gap {
    const at = this.#indexAt(gap.from)
    const before = this.#gaps[at - 1]
    if (before && before.to + 1 === gap.from && before.reason === gap.reason) {
      const merged = { ...before, to: gap.to }
      this.#gaps[at - 1] = merged
      return merged
    }
    this.#gaps.splice(at, 0, gap)
    return gap
  }

  /** Declared holes that touch [from, to], cut to it. */
  within(from: Offset, to: Offset): Gap[] {
    const found: Gap[] = []
    for (let i = Math.max(0, this.#indexAt(from) - 1); i < this.#gaps.length; i++) {
      const gap = this.#gaps[i]
      if (!gap || gap.from > to) break
      if (gap.to >= from) found.push({ ...gap, from: Math.max(gap.from, from), to: Math.min(gap.to, to) })
    }
    return found
  }

  /** Number of missing records at or after `offset`. */
  missingFrom(offset: Offset): number {
    return this.within(offset, Number.MAX_SAFE_INTEGER).reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
  }

  /** Forgets holes that lie wholly before `offset`. */
  forgetBefore(offset: Offset): void {
    this.#gaps = this.#gaps.filter((gap) => gap.to >= offset)
  }

  /** One past the last declared hole; 0 when there is none. */
  get end(): Offset {
    const last = this.#gaps.at(-1)
    return last ? last.to + 1 : 0
  }

  /** Index of the first gap that begins after `offset`. */
  #indexAt(offset: Offset): number {
    let low = 0
    let high = this.#gaps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const gap = this.#gaps[middle]
      if (gap && gap.from <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
