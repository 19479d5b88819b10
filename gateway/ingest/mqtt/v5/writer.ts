import type { Bytes } from '../../../../sync/contract/index.ts'

/** Gathers the fields of a packet (MQTT 5 §1.5). */
export class Writer {
  #bytes: Buffer
  #length = 0

  constructor(expected: Bytes = 64) {
    this.#bytes = Buffer.allocUnsafe(expected)
  }

  get length(): Bytes {
    return this.#length
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  uint16(value: number): void {
    this.#room(2)
    this.#length = this.#bytes.writeUInt16BE(value, this.#length)
  }

  uint32(value: number): void {
    this.#room(4)
    this.#length = this.#bytes.writeUInt32BE(value, this.#length)
  }

  varint(value: number): void {
    let left = value
    do {
      const low = left & 0x7f
      left >>>= 7
      this.byte(left > 0 ? low | 0x80 : low)
    } while (left > 0)
  }

  text(value: string): void {
    const size = Buffer.byteLength(value)
    this.uint16(size)
    this.#room(size)
    this.#length += this.#bytes.write(value, this.#length)
  }

  binary(value: Uint8Array): void {
    this.uint16(value.length)
    this.raw(value)
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #room(more: Bytes): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}
