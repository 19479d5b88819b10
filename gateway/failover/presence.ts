import type { Offset } from '../../sync/contract/index.ts'

/** Own readings before `next` are known there; what was known there then is known here once its lane is here up to `head`. */
export interface Barrier {
  origin: string
  next: Offset
  head: Offset
  settled: Offset
  skipped: readonly Offset[]
}

/** Which of the two sessions between two gateways: the one that is dialled here, or there. */
export type Direction = 'up' | 'down'

/** Answers of a peer that wait for its lane; the lane is at most as far behind as messages are on their way. */
const MOST_BARRIERS = 256

/**
 * Whether what a peer says decides what may leave, and what it has said that waits for its lane.
 *
 *     away --a session stands in both directions--> present: answers --cannot say what has left of it--> unsure
 *      ^                                              |  ^   |   ^                                         |
 *      |                                              |  |   |   +------------says it again----------------+
 *      +---------------------one of them is over------+  |   +--new epoch, or others send in its place--> unread
 *                                                        +------------its chain was read-----------------+
 *
 * Unsure and unread do not exclude each other; both outlast `away`, where the first ends with the next session.
 */
export class Presence {
  readonly #stands: Record<Direction, boolean> = { up: false, down: false }
  #unsure = false
  #unread = false
  #barriers: Barrier[] = []

  /** Sessions stand in both directions. */
  get present(): boolean {
    return this.#stands.up && this.#stands.down
  }

  /** What it says decides; otherwise its chain has to be fenced. */
  get answers(): boolean {
    return this.present && !this.#unsure && !this.#unread
  }

  /** What has left of it is known only when its chain was read. */
  get unread(): boolean {
    return this.#unread
  }

  /** Answers that wait for its lane. */
  get waiting(): number {
    return this.#barriers.length
  }

  /** Origins that they are about. */
  get origins(): ReadonlySet<string> {
    return new Set(this.#barriers.map(({ origin }) => origin))
  }

  session(direction: Direction, stands: boolean): void {
    this.#stands[direction] = stands
    if (this.present) this.#unsure = false
    // Its answers come on the session that is dialled here.
    if (!this.#stands.up) this.#barriers = []
  }

  /** It has begun a new epoch, or others send in its place. */
  doubt(): void {
    this.#unread = true
  }

  /** Its chain was read to the end, and fenced. */
  chainRead(): void {
    this.#unread = false
  }

  /**
   * It has answered.
   *
   * @param barrier null when it cannot say whether something of its own has left of which there is a copy here
   * @returns whether that is new: `lost`, its chain has to be fenced; `regained`, it answers again
   */
  said(barrier: Barrier | null): 'lost' | 'regained' | null {
    const wasUnsure = this.#unsure
    this.#unsure = barrier === null
    if (!barrier) return wasUnsure ? null : 'lost'
    this.#barriers.push(barrier)
    // An older one says nothing that a newer one does not say too, if later.
    if (this.#barriers.length > MOST_BARRIERS) this.#barriers.shift()
    return wasUnsure && this.answers ? 'regained' : null
  }

  /** The newest of its answers that counts when its lane is here up to `head`; it, and those before, wait no longer. */
  pass(origin: string, head: Offset): Barrier | null {
    if (!this.answers) return null
    let passed: Barrier | null = null
    this.#barriers = this.#barriers.filter((barrier) => {
      if (barrier.origin !== origin || barrier.head > head) return true
      passed = barrier
      return false
    })
    return passed
  }
}
