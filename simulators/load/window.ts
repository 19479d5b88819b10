/** A stretch of neighbouring slots. */
export interface Run {
  first: number
  count: number
}

/**
 * The readings in flight, as a ring of slots: the oldest at `head`, `inFlight` of them in use. A slot is free again when it
 * and all older ones are acknowledged (servers acknowledge in order, [MQTT-4.6.0-2]; one that does not only costs room).
 */
export class Window {
  readonly slots: number
  readonly #sentAt: Float64Array
  readonly #acked: Uint8Array
  #limit: number
  #head = 0
  #inFlight = 0
  /** Readings sent and acknowledged without a gap, since the beginning. */
  #sent = 0
  #ackedInOrder = 0
  #acknowledged = 0

  constructor(slots: number) {
    this.slots = slots
    this.#limit = slots
    this.#sentAt = new Float64Array(slots)
    this.#acked = new Uint8Array(slots)
  }

  get sent(): number {
    return this.#sent
  }

  /** Acknowledged, whether or not older ones are. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** The first so many readings are all acknowledged. */
  get acknowledgedInOrder(): number {
    return this.#ackedInOrder
  }

  /** Slots that may be taken now. */
  get room(): number {
    return Math.max(0, this.#limit - this.#inFlight)
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** From now on at most so many in flight (and never more than there are slots); what is in flight already stays. */
  limit(inFlight: number): void {
    this.#limit = Math.min(this.slots, inFlight)
  }

  /** Takes up to `wanted` free slots that lie side by side; count 0 when there is no room. */
  take(wanted: number, now: number): Run {
    const first = (this.#head + this.#inFlight) % this.slots
    const count = Math.min(wanted, this.room, this.slots - first)
    for (let slot = first; slot < first + count; slot++) {
      this.#sentAt[slot] = now
      this.#acked[slot] = 0
    }
    this.#inFlight += count
    this.#sent += count
    return { first, count }
  }

  /** @returns when the reading of this slot was sent; -1 when it is not in flight or was acknowledged before */
  acknowledge(slot: number): number {
    const position = (slot - this.#head + this.slots) % this.slots
    if (slot >= this.slots || position >= this.#inFlight || this.#acked[slot] === 1) return -1
    const sentAt = this.#sentAt[slot] ?? -1
    this.#acked[slot] = 1
    this.#acknowledged++
    while (this.#inFlight > 0 && this.#acked[this.#head] === 1) {
      this.#head = (this.#head + 1) % this.slots
      this.#inFlight--
      this.#ackedInOrder++
    }
    return sentAt
  }

  /** The slots in flight, oldest first, as at most two stretches: what a new connection has to repeat. */
  unacknowledged(): Run[] {
    const first = { first: this.#head, count: Math.min(this.#inFlight, this.slots - this.#head) }
    const second = { first: 0, count: this.#inFlight - first.count }
    return [first, second].filter(({ count }) => count > 0)
  }
}
