/** A stretch of whole numbers, both ends included. */
export interface Interval {
  from: number
  to: number
}

/**
 * A set of whole numbers that is cheap as long as it is mostly without holes, as the sequence numbers of a device are:
 * it keeps sorted, disjoint, non-adjacent intervals (16 bytes each), and appending at the end takes constant time.
 */
export class IntervalSet {
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #size = 0

  /** How many numbers are in the set. */
  get size(): number {
    return this.#size
  }

  /** How many intervals it takes to say so. */
  get intervalCount(): number {
    return this.#starts.length
  }

  /** The largest number in the set; -1 when it is empty. */
  get max(): number {
    return this.#ends.at(-1) ?? -1
  }

  has(value: number): boolean {
    const index = this.#indexAtOrBefore(value)
    return index >= 0 && this.#end(index) >= value
  }

  /** @returns false when it was there already */
  add(value: number): boolean {
    return this.addRange(value, value) === 1
  }

  /** Adds from..to, both included. @returns how many of them were new */
  addRange(from: number, to: number): number {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from > to) {
      throw new RangeError(`an interval goes from a whole number to one that is not smaller, not ${from} to ${to}`)
    }
    const last = this.#starts.length - 1
    if (last < 0 || from > this.#end(last) + 1) {
      this.#starts.push(from)
      this.#ends.push(to)
      return this.#grow(to - from + 1)
    }
    // The intervals that overlap or touch from..to are those after `before` up to `through`: they become one.
    const at = this.#indexAtOrBefore(from)
    const first = at >= 0 && this.#end(at) >= from - 1 ? at : at + 1
    const through = this.#indexAtOrBefore(to + 1)
    if (through < first) {
      this.#starts.splice(first, 0, from)
      this.#ends.splice(first, 0, to)
      return this.#grow(to - from + 1)
    }
    let known = 0
    for (let index = first; index <= through; index++) known += this.#end(index) - this.#start(index) + 1
    const start = Math.min(from, this.#start(first))
    const end = Math.max(to, this.#end(through))
    this.#starts[first] = start
    this.#ends[first] = end
    if (through > first) {
      this.#starts.splice(first + 1, through - first)
      this.#ends.splice(first + 1, through - first)
    }
    return this.#grow(end - start + 1 - known)
  }

  *intervals(): Generator<Interval> {
    for (let index = 0; index < this.#starts.length; index++) yield { from: this.#start(index), to: this.#end(index) }
  }

  /** What is in this set and in none of the others. Takes time in proportion to the intervals, not to the numbers. */
  without(...others: readonly IntervalSet[]): IntervalSet {
    let rest: IntervalSet = this
    for (const other of others) if (other.size > 0) rest = rest.#minus(other)
    return rest
  }

  #minus(other: IntervalSet): IntervalSet {
    const rest = new IntervalSet()
    let skip = 0
    for (const { from, to } of this.intervals()) {
      let next = from
      while (skip < other.#starts.length && other.#end(skip) < from) skip++
      for (let index = skip; index < other.#starts.length && other.#start(index) <= to && next <= to; index++) {
        if (other.#start(index) > next) rest.addRange(next, other.#start(index) - 1)
        next = other.#end(index) + 1
      }
      if (next <= to) rest.addRange(next, to)
    }
    return rest
  }

  #grow(by: number): number {
    this.#size += by
    return by
  }

  #start(index: number): number {
    return this.#starts[index] ?? Number.POSITIVE_INFINITY
  }

  #end(index: number): number {
    return this.#ends[index] ?? Number.NEGATIVE_INFINITY
  }

  /** Index of the last interval that starts at or before `value`; -1 when none does. */
  #indexAtOrBefore(value: number): number {
    let high = this.#starts.length - 1
    if (high >= 0 && this.#start(high) <= value) return high
    let low = 0
    while (low <= high) {
      const middle = (low + high) >>> 1
      if (this.#start(middle) <= value) low = middle + 1
      else high = middle - 1
    }
    return high
  }
}

/** `3-7, 9, 12-14 and 2 more`, for people. */
export function describeIntervals(set: IntervalSet, most = 5): string {
  const parts: string[] = []
  for (const { from, to } of set.intervals()) {
    if (parts.length === most) {
      parts.push(`and ${set.intervalCount - most} more`)
      return `${parts.slice(0, -1).join(', ')} ${parts.at(-1)}`
    }
    parts.push(from === to ? `${from}` : `${from}-${to}`)
  }
  return parts.join(', ')
}
