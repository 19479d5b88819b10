import type { Millis } from '../contract/index.ts'
import type { Random } from './random.ts'

/**
 * Exponential backoff with full jitter: the n-th delay is uniform between `min` and `min * 2^n`, at most `max`. Spreads
 * the gateways of a thousand sites that lost the same centre.
 */
export class Backoff {
  readonly #min: Millis
  readonly #max: Millis
  readonly #random: Random
  #attempt = 0

  constructor(limits: { min: Millis; max: Millis }, random: Random) {
    this.#min = limits.min
    this.#max = limits.max
    this.#random = random
  }

  next(): Millis {
    const ceiling = Math.min(this.#max, this.#min * 2 ** this.#attempt)
    this.#attempt = Math.min(this.#attempt + 1, 30)
    return Math.min(this.#min, ceiling) + this.#random.next() * Math.max(0, ceiling - this.#min)
  }

  reset(): void {
    this.#attempt = 0
  }
}
