import type { Bytes, LineBuffer } from '../../sync/contract/index.ts'

const FIRST: Bytes = 16 * 1024
/** What grew beyond is not kept: one huge record would hold its memory for good. */
const MOST_KEPT: Bytes = 1024 * 1024
const NEWLINE = 0x0a
/** Bytes of UTF-8 that one UTF-16 unit becomes at most. */
const WIDEST = 3

/** The records of one block that is not cut yet, as the bytes that it will hold. */
export class Gather implements LineBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST)
  view: DataView = new DataView(this.bytes.buffer)
  length: Bytes = 0
  count = 0

  /** Makes sure that there is room for so much more. */
  reserve(more: Bytes): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more))
    larger.set(this.bytes.subarray(0, this.length))
    this.#use(larger)
  }

  add(line: string): void {
    this.reserve(line.length * WIDEST + 1)
    this.length += this.bytes.write(line, this.length)
    this.bytes[this.length++] = NEWLINE
    this.count++
  }

  get body(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** Begins again, in the same memory. */
  clear(): void {
    this.length = 0
    this.count = 0
    if (this.bytes.length > MOST_KEPT) this.#use(Buffer.allocUnsafeSlow(FIRST))
  }

  /** @param bytes all of their memory */
  #use(bytes: Buffer): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
