import type { Bytes, Millis } from '../contract/index.ts'

export interface PaceSettings {
  /** Infinity = as fast as the link goes. */
  bytesPerSecond: Bytes
  packsPerSecond: number
}

/**
 * Two token buckets, each holding at most one second: a drain neither floods a thin link nor falls behind a steady rate.
 */
export class Pace {
  readonly #settings: PaceSettings
  readonly #now: () => Millis
  #bytesFreeAt: Millis
  #packFreeAt: Millis

  /** @param now monotonic milliseconds */
  constructor(settings: PaceSettings, now: () => Millis) {
    this.#settings = settings
    this.#now = now
    this.#bytesFreeAt = now()
    this.#packFreeAt = now()
  }

  /** Takes the tokens for one pack and returns how long to wait before sending it. */
  take(bytes: Bytes): Millis {
    const now = this.#now()
    const wait = Math.max(0, this.#bytesFreeAt - now, this.#packFreeAt - now)
    this.#bytesFreeAt = Math.max(this.#bytesFreeAt, now) + (bytes / this.#settings.bytesPerSecond) * 1000
    this.#packFreeAt = Math.max(this.#packFreeAt, now) + 1000 / this.#settings.packsPerSecond
    return wait
  }
}
