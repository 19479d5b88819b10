import type { Millis } from '../contract/index.ts'

export interface Timer {
  readonly at: Millis
  readonly order: number
  /** null once it was cancelled. */
  callback: (() => void) | null
}

/** Timers by their time, and those of one time in the order in which they were set: a binary heap. */
export class TimerQueue {
  readonly #heap: Timer[] = []
  #order = 0

  add(at: Millis, callback: () => void): Timer {
    const timer: Timer = { at, order: this.#order++, callback }
    let place = this.#heap.push(timer) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = this.#heap[parent]
      if (above === undefined || isBefore(above, timer)) break
      this.#heap[place] = above
      place = parent
    }
    this.#heap[place] = timer
    return timer
  }

  /** The next that is due; what was cancelled does not count. */
  first(): Timer | undefined {
    while (this.#heap[0]?.callback === null) this.#removeFirst()
    return this.#heap[0]
  }

  /** Takes out the next that is due. */
  take(): Timer | undefined {
    const first = this.first()
    if (first) this.#removeFirst()
    return first
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    const size = this.#heap.length
    if (last === undefined || size === 0) return
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      const child = this.#smaller(left, left + 1)
      const below = this.#heap[child]
      if (below === undefined || isBefore(last, below)) break
      this.#heap[place] = below
      place = child
    }
    this.#heap[place] = last
  }

  #smaller(left: number, right: number): number {
    const [one, other] = [this.#heap[left], this.#heap[right]]
    return one && other && isBefore(other, one) ? right : left
  }
}

const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)
