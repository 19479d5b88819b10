import type { Millis } from '../contract/index.ts'

export interface BreakerSettings {
  /** Failures in a row that open it. */
  failures: number
  /** How long it stays open before one attempt is let through. */
  cooldown: Millis
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * A circuit breaker around the central link, so that a centre in trouble is not hammered with large packs.
 *
 *     closed --`failures` in a row--> open --`cooldown` passed--> half-open --success--> closed
 *                                       ^                             |
 *                                       +------------failure----------+
 *
 * In `half-open` the caller sends something small.
 */
export class Breaker {
  readonly #settings: BreakerSettings
  readonly #now: () => Millis
  #failures = 0
  #openedAt: Millis | null = null

  /** @param now monotonic milliseconds */
  constructor(settings: BreakerSettings, now: () => Millis) {
    this.#settings = settings
    this.#now = now
  }

  get state(): BreakerState {
    if (this.#openedAt === null) return 'closed'
    return this.#now() - this.#openedAt >= this.#settings.cooldown ? 'half-open' : 'open'
  }

  /** How long to wait until an attempt may be made. */
  get wait(): Millis {
    return this.#openedAt === null ? 0 : Math.max(0, this.#openedAt + this.#settings.cooldown - this.#now())
  }

  succeeded(): void {
    this.#failures = 0
    this.#openedAt = null
  }

  failed(): void {
    this.#failures++
    if (this.#openedAt !== null || this.#failures >= this.#settings.failures) this.#openedAt = this.#now()
  }
}
