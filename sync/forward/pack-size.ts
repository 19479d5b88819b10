import type { Bytes, Millis } from '../contract/index.ts'

export interface PackSizeSettings {
  minBytes: Bytes
  maxBytes: Bytes
  /** Time that a full pack should take, beyond what the smallest one takes. */
  target: Millis
}

const FIRST: Bytes = 64 * 1024
/** One pack is in flight: one that takes less than this many round trips leaves the link idle most of the time. */
const ROUND_TRIPS = 2
/** How fast the shortest round trip is forgotten, a small pack; large ones say nothing about it. */
const FORGET = 0.1

/**
 * How many bytes (before compression) the next pack may have. What counts is the time that its size costs: round trip minus
 * the shortest one seen. Packs grow while that stays well below the goal, shrink above it, and fall to the minimum after
 * an unknown outcome: on a link that carries little, little is at stake at a time. A far link (a long round trip however
 * small the pack) gets large packs, a thin one small packs.
 */
export class PackSize {
  readonly #settings: PackSizeSettings
  #bytes: Bytes
  #shortest: Millis = Number.POSITIVE_INFINITY

  constructor(settings: PackSizeSettings) {
    this.#settings = settings
    this.#bytes = Math.min(settings.maxBytes, Math.max(settings.minBytes, FIRST))
  }

  /** @param limit what the server takes at most */
  bytes(limit: Bytes): Bytes {
    return Math.min(this.#bytes, limit)
  }

  get minimum(): Bytes {
    return this.#settings.minBytes
  }

  /** @param filled bytes before compression */
  acknowledged(filled: Bytes, roundTrip: Millis): void {
    const { target, minBytes, maxBytes } = this.#settings
    if (roundTrip < this.#shortest) this.#shortest = roundTrip
    else if (filled <= minBytes) this.#shortest += (roundTrip - this.#shortest) * FORGET
    const cost = roundTrip - this.#shortest
    const goal = Math.max(target, this.#shortest * ROUND_TRIPS)
    if (cost > goal * 2) this.#bytes = Math.max(minBytes, this.#bytes / 2)
    else if (cost < goal / 2 && filled > this.#bytes / 2) this.#bytes = Math.min(maxBytes, this.#bytes * 2)
  }

  failed(): void {
    this.#bytes = this.#settings.minBytes
  }
}
