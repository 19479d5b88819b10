/** What an iteration sees of entries that changed since it began. */
type Before = Map<string, Buffer | undefined>

/**
 * Entries in key order, in memory. An iteration sees them as they were when it began, at the cost of what changes
 * meanwhile; everything else costs about as much as it touches.
 */
export class OrderedTable {
  readonly #values = new Map<string, Buffer>()
  /** All keys, sorted; replaced instead of changed while somebody iterates over it. */
  #keys: string[] = []
  readonly #iterations = new Set<Before>()

  get(key: string): Buffer | undefined {
    return this.#values.get(key)
  }

  /** @param value undefined = delete it */
  set(key: string, value: Buffer | undefined): void {
    const old = this.#values.get(key)
    if (old === value) return
    for (const before of this.#iterations) if (!before.has(key)) before.set(key, old)
    if (value) this.#values.set(key, value)
    else this.#values.delete(key)
    if ((old === undefined) === (value === undefined)) return
    if (this.#iterations.size > 0) this.#keys = [...this.#keys]
    this.#keys.splice(this.#indexOf(key), value ? 0 : 1, ...(value ? [key] : []))
  }

  /** Keys from `from` (inclusive) to `to` (exclusive), as they are now. */
  keys(from: string, to: string): string[] {
    return this.#keys.slice(this.#indexOf(from), this.#indexOf(to))
  }

  *entries(from: string, to: string, reverse: boolean): Iterable<readonly [key: string, value: Buffer]> {
    const before: Before = new Map()
    const keys = this.#keys
    const start = this.#indexOf(from)
    const end = Math.max(start, this.#indexOf(to))
    this.#iterations.add(before)
    try {
      for (let i = 0; i < end - start; i++) {
        const key = keys[reverse ? end - 1 - i : start + i] ?? ''
        const value = before.has(key) ? before.get(key) : this.#values.get(key)
        if (value) yield [key, value]
      }
    } finally {
      this.#iterations.delete(before)
    }
  }

  /** Index of the first key that is not before `key`. */
  #indexOf(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
