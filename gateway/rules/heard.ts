import type { Offset } from '../../sync/contract/index.ts'

/** Whose readings lane a record is of: the origin of a peer, or this gateway's own. */
export type Origin = string

export const OWN: Origin = ''

/** The next record of each peer's lane, by origin, as it is stored. */
export type StoredHeard = Readonly<Record<Origin, Offset>>

/** How far the lanes of peers were heard. Most gateways have no peer, so nothing is held until something is heard. */
export class Heard {
  #next: Map<Origin, Offset> | null

  constructor(stored?: StoredHeard) {
    this.#next = stored ? new Map(Object.entries(stored)) : null
  }

  /** The first record of the lane that was not heard. */
  next(origin: Origin): Offset {
    return this.#next?.get(origin) ?? 0
  }

  /** Never back. */
  move(origin: Origin, next: Offset): void {
    this.#next ??= new Map()
    if (next > this.next(origin)) this.#next.set(origin, next)
  }

  /** As far as both together. */
  include(stored: StoredHeard = {}): void {
    for (const [origin, next] of Object.entries(stored)) this.move(origin, next)
  }

  /** Undefined when nothing was heard: what is stored then leaves it out. */
  toJSON(): StoredHeard | undefined {
    return this.#next ? Object.fromEntries(this.#next) : undefined
  }
}
