/**
 * A map that never holds more than about `capacity` entries, in two generations: what is used moves to (or stays in) the
 * young one; when that is full, the old one is forgotten and the young one becomes the old. This keeps what is in use
 * like an LRU list, at the price of a plain map: one lookup and no bookkeeping for an entry of the young generation.
 */
export class BoundedCache<V> {
  readonly #half: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()

  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2))
  }

  get(key: string): V | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const aged = this.#old.get(key)
    if (aged !== undefined) this.set(key, aged)
    return aged
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  /** Entries of both generations; one that was used lately may be counted in both. */
  get size(): number {
    return this.#young.size + this.#old.size
  }
}
