import type { Bytes, Millis } from '../contract/index.ts'

export interface PackSizeSettings {
  minBytes: Bytes
  maxBytes: Bytes
  /** Round trip that a full pack should take. */
  target: Millis
}

/**
 * How many bytes the next pack may have. Grows while full packs come back well within the target, shrinks when they do not,
 * and falls to the minimum after an unknown outcome: on a link that carries little, little is at stake at a time.
 */
export class PackSize {
  readonly #settings: PackSizeSettings
  #bytes: Bytes

  constructor(settings: PackSizeSettings) {
    this.#settings = settings
    this.#bytes = Math.min(settings.maxBytes, Math.max(settings.minBytes, 64 * 1024))
  }

  /** @param limit what the server takes at most */
  bytes(limit: Bytes): Bytes {
    return Math.min(this.#bytes, limit)
  }

  get minimum(): Bytes {
    return this.#settings.minBytes
  }

  acknowledged(sent: Bytes, roundTrip: Millis): void {
    const { target, minBytes, maxBytes } = this.#settings
    if (roundTrip > target * 2) this.#bytes = Math.max(minBytes, this.#bytes / 2)
    else if (roundTrip < target / 2 && sent > this.#bytes / 2) this.#bytes = Math.min(maxBytes, this.#bytes * 2)
  }

  failed(): void {
    this.#bytes = this.#settings.minBytes
  }
}
