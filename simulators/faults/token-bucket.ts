import type { Bytes, Millis } from '../../sync/contract/index.ts'

/** Longest burst, as time at the full rate: short enough to look like a slow line, long enough for few timers. */
const BURST: Millis = 20

/** How many bytes may go through now, so that a rate is kept over time. Shared by all connections of one direction. */
export class TokenBucket {
  #tokens: number
  #at: Millis
  #rate: number

  /** @param bytesPerSecond Infinity = no limit */
  constructor(bytesPerSecond: Bytes, now: Millis) {
    this.#rate = bytesPerSecond
    this.#tokens = this.#capacity
    this.#at = now
  }

  setRate(bytesPerSecond: Bytes, now: Millis): void {
    if (bytesPerSecond === this.#rate) return
    this.#rate = bytesPerSecond
    this.#tokens = this.#capacity
    this.#at = now
  }

  /** Takes up to `wanted` bytes. @returns how many were taken; 0 = come back after `wait` */
  take(wanted: Bytes, now: Millis): Bytes {
    if (this.#rate === Number.POSITIVE_INFINITY) return wanted
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#at) * this.#rate) / 1000)
    this.#at = now
    const taken = Math.min(wanted, Math.floor(this.#tokens))
    this.#tokens -= taken
    return taken
  }

  /** How long until a worthwhile part of `wanted` is there: half a burst, or all of it. */
  wait(wanted: Bytes): Millis {
    const worthwhile = Math.min(wanted, this.#capacity / 2)
    return Math.max(1, ((worthwhile - this.#tokens) * 1000) / this.#rate)
  }

  get #capacity(): number {
    return Math.max(1, (this.#rate * BURST) / 1000)
  }
}
