import type { Offset } from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'

/** What declaring a hole changed. */
export interface GapChange {
  /** The parts that were not declared before. */
  fresh: readonly Gap[]
  /** Entries to store, as they now stand. */
  put: readonly Gap[]
  /** First offsets of entries that became part of another. */
  gone: readonly Offset[]
}

/** The declared holes of a lane, in offset order, not overlapping; neighbours of the same reason are one. */
export class Gaps {
  #gaps: Gap[] = []

  /** Declares a hole; what of it was declared before stays as it was. */
  declare(gap: Gap): GapChange {
    const fresh = this.undeclared(gap.from, gap.to).map((part) => ({ ...part, reason: gap.reason }))
    const put = new Map<Offset, Gap>()
    const gone: Offset[] = []
    for (const part of fresh) {
      const at = this.#indexAt(part.from)
      const before = this.#gaps[at - 1]
      const after = this.#gaps[at]
      const entry = { ...part }
      if (before && before.to + 1 === part.from && before.reason === part.reason) entry.from = before.from
      if (after && after.from === part.to + 1 && after.reason === part.reason) {
        entry.to = after.to
        gone.push(after.from)
      }
      const start = entry.from < part.from ? at - 1 : at
      this.#gaps.splice(start, at - start + (entry.to > part.to ? 1 : 0), entry)
      put.set(entry.from, entry)
    }
    return { fresh, put: [...put.values()], gone }
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

  /** The parts of [from, to] that are not declared. */
  undeclared(from: Offset, to: Offset): { from: Offset; to: Offset }[] {
    const parts: { from: Offset; to: Offset }[] = []
    let at = from
    for (const gap of this.within(from, to)) {
      if (gap.from > at) parts.push({ from: at, to: gap.from - 1 })
      at = gap.to + 1
    }
    if (at <= to) parts.push({ from: at, to })
    return parts
  }

  has(offset: Offset): boolean {
    const gap = this.#gaps[this.#indexAt(offset) - 1]
    return gap !== undefined && offset <= gap.to
  }

  /** Whether this record was given up, or is damaged; one that is merely repeated elsewhere is still here. */
  lost(offset: Offset): boolean {
    const gap = this.#gaps[this.#indexAt(offset) - 1]
    return gap !== undefined && offset <= gap.to && gap.reason !== 'repeated'
  }

  /** Whether all of [from, to] is declared. */
  cover(from: Offset, to: Offset): boolean {
    return this.undeclared(from, to).length === 0
  }

  /** Number of records at or after `offset` that are not to be forwarded. */
  missingFrom(offset: Offset): number {
    return this.#count(offset, () => true)
  }

  /** How many of those nobody will ever see. */
  lostFrom(offset: Offset): number {
    return this.#count(offset, ({ reason }) => reason !== 'repeated')
  }

  /** Forgets everything before `offset`; returns the entry that was cut, if one reached beyond it. */
  forgetBefore(offset: Offset): Gap | null {
    const at = this.#indexAt(offset - 1)
    const last = this.#gaps[at - 1]
    const cut = last && last.to >= offset ? { ...last, from: offset } : null
    this.#gaps.splice(0, at, ...(cut ? [cut] : []))
    return cut
  }

  /** One past the last declared hole; 0 when there is none. */
  get end(): Offset {
    const last = this.#gaps.at(-1)
    return last ? last.to + 1 : 0
  }

  get all(): readonly Gap[] {
    return this.#gaps
  }

  #count(offset: Offset, wanted: (gap: Gap) => boolean): number {
    let sum = 0
    for (let i = Math.max(0, this.#indexAt(offset) - 1); i < this.#gaps.length; i++) {
      const gap = this.#gaps[i]
      if (gap && gap.to >= offset && wanted(gap)) sum += gap.to - Math.max(gap.from, offset) + 1
    }
    return sum
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
