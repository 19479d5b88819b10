/** What a server sent, as far as a publisher cares. */
export interface AckHandler {
  connected(returnCode: number): void
  acknowledged(packetId: number): void
}

/**
 * Reads CONNACK (MQTT 3.1.1 §3.2) and PUBACK (§3.4) off a byte stream; both, and everything else that a mere publisher can
 * be sent, have a remaining length below 128.
 *
 * State: the bytes of a frame whose end has not come yet (at most three of those two kinds).
 */
export class AckParser {
  readonly #handler: AckHandler
  #rest: Buffer = Buffer.alloc(0)

  constructor(handler: AckHandler) {
    this.#handler = handler
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at + 2 <= bytes.length) {
      const end = at + 2 + (bytes[at + 1] ?? 0)
      if (end > bytes.length) break
      const type = bytes[at]
      if (type === 0x40) this.#handler.acknowledged(((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))
      else if (type === 0x20) this.#handler.connected(bytes[at + 3] ?? 0)
      at = end
    }
    this.#rest = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at))
  }

  /** A new connection begins with a new frame. */
  reset(): void {
    this.#rest = EMPTY
  }
}

const EMPTY: Buffer = Buffer.alloc(0)
