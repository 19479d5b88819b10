import type { Millis, Reading } from '../../sync/contract/index.ts'

/** What readings have shown of an alarm that another gateway tells of: the condition as it counts now. */
export interface Shown {
  to: string | null
  /** Event time. */
  at: Millis
  reading: Reading
}

/** More than is ever on its way from a gateway that tells of what it decides. */
const MOST = 8

/**
 * What readings have shown and nobody has told of, oldest first. The gateway that decides tells of it, a moment later; should it
 * die in that moment, this is told by whoever takes over, under the same names.
 */
export class Untold {
  #shown: Shown[]

  constructor(shown: Shown[] = []) {
    this.#shown = shown
  }

  get isEmpty(): boolean {
    return this.#shown.length === 0
  }

  /** @param told the condition that was told of last */
  add(shown: Shown, told: string | null): void {
    this.#shown.push(shown)
    // Whoever decides sees it otherwise, and tells of none of this: what is left is what it comes to.
    if (this.#shown.length > MOST) this.#shown = shown.to === told ? [] : [shown]
  }

  /** Somebody has told of this, and with it of everything before. @returns false when it was not shown here */
  told(to: string | null, at: Millis): boolean {
    const i = this.#shown.findIndex((one) => one.to === to && one.at === at)
    if (i < 0) return false
    this.#shown.splice(0, i + 1)
    return true
  }

  /** All of it, and leaves nothing. */
  take(): readonly Shown[] {
    return this.#shown.splice(0)
  }

  toJSON(): Shown[] {
    return this.#shown
  }
}
