import type { Bytes } from '../../../../sync/contract/index.ts'
import { checkText } from '../topic-text.ts'

/**
 * Reads the fields of one packet, `data[at..end)`, in turn (MQTT 5 §1.5). What does not fit, or is no valid text, makes it
 * `broken`; from then on every field is zero or empty, so that one look at the end is enough.
 */
export class Cursor {
  readonly data: Buffer
  readonly end: number
  at: number
  broken = false

  constructor(data: Buffer, at: number, end: number) {
    this.data = data
    this.at = at
    this.end = end
  }

  /** Bytes that are left. */
  get left(): Bytes {
    return this.end - this.at
  }

  byte(): number {
    return this.#fits(1) ? (this.data[this.at++] ?? 0) : 0
  }

  uint16(): number {
    if (!this.#fits(2)) return 0
    this.at += 2
    return this.data.readUInt16BE(this.at - 2)
  }

  uint32(): number {
    if (!this.#fits(4)) return 0
    this.at += 4
    return this.data.readUInt32BE(this.at - 4)
  }

  /** A variable byte integer, in as few bytes as possible (MQTT-1.5.5-1). */
  varint(): number {
    let value = 0
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (byte === 0 && shift > 0) break
      return this.broken ? 0 : value
    }
    return this.#break()
  }

  /** Skips a length-prefixed field: where it begins; it ends at `at`. */
  field(): number {
    const length = this.uint16()
    if (!this.#fits(length)) return this.at
    this.at += length
    return this.at - length
  }

  /** Binary data; a copy, since it outlives the packet. */
  binary(): Buffer {
    const start = this.field()
    return Buffer.from(this.data.subarray(start, this.at))
  }

  /** A text: valid UTF-8 without NUL (MQTT-1.5.4-1, -2). */
  text(): string {
    const start = this.field()
    const { data, at } = this
    if (isPlain(data, start, at)) return data.toString('latin1', start, at)
    if (checkText(data, start, at) === null) return data.toString('utf8', start, at)
    this.#break()
    return ''
  }

  #fits(bytes: Bytes): boolean {
    if (!this.broken && this.at + bytes <= this.end) return true
    this.#break()
    return false
  }

  #break(): 0 {
    this.broken = true
    this.at = this.end
    return 0
  }
}

/** Whether all of it is ASCII without NUL, which needs no closer look. */
function isPlain(data: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = data[at] ?? 0
    if (byte === 0 || byte > 0x7f) return false
  }
  return true
}
