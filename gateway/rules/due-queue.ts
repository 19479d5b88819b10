import type { Millis } from '../../sync/contract/index.ts'

interface Entry<T> {
  at: Millis
  name: string
  what: T
}

/**
 * What happens next, by the gateway's clock. A binary heap; entries of the same time come in the order of their names, so that
 * every gateway and every replay has the same order.
 */
export class DueQueue<T> {
  readonly #heap: Entry<T>[] = []

  get next(): Millis | null {
    return this.#heap[0]?.at ?? null
  }

  push(at: Millis, name: string, what: T): void {
    const heap = this.#heap
    const entry = { at, name, what }
    let i = heap.length
    while (i > 0) {
      const parent = (i - 1) >>> 1
      const above = heap[parent]
      if (!above || !before(entry, above)) break
      heap[i] = above
      i = parent
    }
    heap[i] = entry
  }

  /** Takes out the first one if it is due at `now`. */
  takeDue(now: Millis): { at: Millis; what: T } | null {
    const heap = this.#heap
    const first = heap[0]
    if (!first || first.at > now) return null
    const last = heap.pop()
    if (last && last !== first) this.#sink(last)
    return first
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let i = 0
    for (;;) {
      const left = 2 * i + 1
      let least = left
      const [one, other] = [heap[left], heap[left + 1]]
      if (!one) break
      if (other && before(other, one)) least = left + 1
      const child = heap[least]
      if (!child || !before(child, entry)) break
      heap[i] = child
      i = least
    }
    heap[i] = entry
  }
}

const before = <T>(one: Entry<T>, other: Entry<T>): boolean =>
  one.at < other.at || (one.at === other.at && one.name < other.name)
