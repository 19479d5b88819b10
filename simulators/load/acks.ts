/** What a server sent, as far as a publisher cares. */
export interface AckHandler {
  /** @param receiveMaximum publishes that the server lets a client have without an answer; in MQTT 3.1.1 it cannot say */
  connected(code: number, receiveMaximum: number): void
  /** @param reason reason code of MQTT 5, 0x80 and more is a "no"; always 0 in 3.1.1 */
  acknowledged(packetId: number, reason: number): void
}

/** What holds when a server says nothing (MQTT 5 §3.2.2.3.3): as many as there are packet identifiers. */
const UNLIMITED = 65_535

/**
 * Reads CONNACK (§3.2) and PUBACK (§3.4) of MQTT 3.1.1 and 5 off a byte stream, and skips the rest. The two versions can be told by
 * the lengths of these packets: what 5 may say, it says behind what 3.1.1 has.
 *
 * State: the bytes of a frame whose end has not come yet.
 */
export class AckParser {
  readonly #handler: AckHandler
  #rest: Buffer = EMPTY

  constructor(handler: AckHandler) {
    this.#handler = handler
  }

  /** @param chunk only its first `length` bytes, and only until this returns */
  push(chunk: Buffer, length = chunk.length): void {
    if (this.#rest.length === 0) this.#read(chunk, length)
    else {
      const bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)])
      this.#read(bytes, bytes.length)
    }
  }

  /** A new connection begins with a new frame. */
  reset(): void {
    this.#rest = EMPTY
  }

  #read(bytes: Buffer, available: number): void {
    let at = 0
    while (at + 2 <= available) {
      let length = bytes[at + 1] ?? 0
      let body = at + 2
      if (length >= 0x80) {
        const long = readVarint(bytes, at + 1, available)
        if (long === null) break
        length = long.value
        body = long.end
      }
      const end = body + length
      if (end > available) break
      const type = bytes[at]
      if (type === 0x40) {
        const reason = length > 2 ? (bytes[body + 2] ?? 0) : 0
        this.#handler.acknowledged(((bytes[body] ?? 0) << 8) | (bytes[body + 1] ?? 0), reason)
      } else if (type === 0x20) {
        const properties = bytes.subarray(Math.min(body + 2, end), end)
        this.#handler.connected(bytes[body + 1] ?? 0, receiveMaximumIn(properties))
      }
      at = end
    }
    this.#rest = at === available ? EMPTY : Buffer.from(bytes.subarray(at, available))
  }
}

const EMPTY: Buffer = Buffer.alloc(0)

/** A variable byte integer (§1.5.5) and where it ends; null while its end has not come. */
function readVarint(bytes: Buffer, start: number, available: number): { value: number; end: number } | null {
  let value = 0
  for (let at = start, scale = 1; at < available && at < start + 4; at++, scale *= 128) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return { value, end: at + 1 }
  }
  return null
}

const RECEIVE_MAXIMUM = 0x21

/** How long the value of a property of CONNACK is (§3.2.2.3), when that is fixed. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [0x11, 4], // session expiry interval
  [0x13, 2], // server keep alive
  [RECEIVE_MAXIMUM, 2],
  [0x22, 2], // topic alias maximum
  [0x24, 1], // maximum QoS
  [0x25, 1], // retain available
  [0x27, 4], // maximum packet size
  [0x28, 1], // wildcard subscription available
  [0x29, 1], // subscription identifier available
  [0x2a, 1], // shared subscription available
])

const USER_PROPERTY = 0x26

/** @param bytes a CONNACK from its properties on; empty in 3.1.1 */
function receiveMaximumIn(bytes: Buffer): number {
  const length = readVarint(bytes, 0, bytes.length)
  if (length === null) return UNLIMITED
  // All other values are texts or bytes: two bytes that say how many there are; user properties are two texts.
  const textEnd = (at: number): number => at + 2 + ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0)
  for (let at = length.end; at < length.end + length.value; ) {
    const id = bytes[at++] ?? 0
    if (id === RECEIVE_MAXIMUM) return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
    const fixed = FIXED.get(id)
    if (fixed !== undefined) at += fixed
    else at = id === USER_PROPERTY ? textEnd(textEnd(at)) : textEnd(at)
  }
  return UNLIMITED
}
