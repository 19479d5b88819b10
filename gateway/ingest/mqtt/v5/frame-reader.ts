import type { Bytes } from '../../../../sync/contract/index.ts'
import { append } from '../held-bytes.ts'
import { type Violation, violation } from '../violation.ts'

/** Where one whole packet lies in `data`, which is not written to again. */
export interface Frame {
  type: number
  flags: number
  data: Buffer
  /** The body is `data[start..end)`. */
  start: number
  end: number
}

const NOTHING = Buffer.alloc(0)

/**
 * Cuts a stream of bytes into packets (MQTT 5 §2.1). What is not whole yet is kept, in a copy that grows with what came, not with
 * what was announced; one that announces too much is refused after its fixed header.
 */
export class FrameReader {
  readonly #largest: (type: number) => Bytes
  #data: Buffer = NOTHING
  #at = 0
  /** Start of a packet that is not whole: the first `#heldLength` bytes of `#held`. */
  #held: Buffer = NOTHING
  #heldLength = 0
  /** Bytes at which the held packet is worth another look. */
  #needed = 0
  readonly #frame: Frame = { type: 0, flags: 0, data: NOTHING, start: 0, end: 0 }

  /** @param largest remaining length that a packet of this type may have */
  constructor(largest: (type: number) => Bytes) {
    this.#largest = largest
  }

  get heldBytes(): Bytes {
    return this.#heldLength + this.#data.length - this.#at
  }

  /** Takes the next bytes of the stream; read them with `next` until it returns null. */
  feed(chunk: Buffer): void {
    if (this.#at < this.#data.length) {
      this.#data = Buffer.concat([this.#data.subarray(this.#at), chunk])
      this.#at = 0
      return
    }
    this.#data = chunk
    this.#at = 0
  }

  /** The next whole packet, valid until the call after this one; null when more bytes are needed. */
  next(): Frame | Violation | null {
    while (this.#heldLength > 0) {
      const wanted = this.#needed - this.#heldLength
      const there = Math.min(wanted, this.#data.length - this.#at)
      this.#hold(this.#data.subarray(this.#at, this.#at + there))
      this.#at += there
      if (there < wanted) return this.#drained()
      const held = this.#held.subarray(0, this.#heldLength)
      this.#held = NOTHING
      this.#heldLength = 0
      const found = this.#look(held, 0)
      if (found !== null) return found
      this.#hold(held)
    }
    if (this.#at === this.#data.length) return this.#drained()
    const found = this.#look(this.#data, this.#at)
    if (found === null) {
      this.#hold(this.#data.subarray(this.#at))
      return this.#drained()
    }
    if ('type' in found) this.#at = found.end
    return found
  }

  #look(data: Buffer, start: number): Frame | Violation | null {
    let length = 0
    let body = start + 1
    for (let shift = 0; ; shift += 7, body++) {
      if (shift > 21)
        return violation('LENGTH_MALFORMED', 'expected a remaining length of at most 4 bytes (MQTT 5 §2.1.4)')
      if (body >= data.length) return this.#await(data.length - start + 1)
      const byte = data[body] ?? 0
      length += (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    body++
    const first = data[start] ?? 0
    const type = first >> 4
    const largest = this.#largest(type)
    if (length > largest)
      return violation('PACKET_TOO_LARGE', `expected at most ${largest} bytes in packet type ${type}, came ${length}`)
    const end = body + length
    if (end > data.length) return this.#await(end - start)
    const frame = this.#frame
    frame.type = type
    frame.flags = first & 0x0f
    frame.data = data
    frame.start = body
    frame.end = end
    return frame
  }

  #await(bytes: Bytes): null {
    this.#needed = bytes
    return null
  }

  /** Everything is taken: the chunk is not kept alive. */
  #drained(): null {
    this.#data = NOTHING
    this.#at = 0
    return null
  }

  #hold(bytes: Buffer): void {
    this.#held = append(this.#held, this.#heldLength, bytes, this.#needed)
    this.#heldLength += bytes.length
  }
}
