import type { LineBuffer, Reading } from '../../../sync/contract/index.ts'
import { copyBytes, keptView, sameBytes } from '../words.ts'
import { type Field, type PlainPayload, RECEIVED } from './payload.ts'

type NumberField = Field | typeof RECEIVED

/** Where a number stands in some bytes. */
export interface Spot {
  readonly field: NumberField
  readonly start: number
  readonly end: number
}

/** Bytes in which numbers stand: piece i is what stands before number i; one more is behind the last. */
interface Frame {
  readonly fields: readonly NumberField[]
  /** Of the pieces, in the shape's own bytes. */
  readonly starts: Int32Array
  readonly lengths: Int32Array
}

/**
 * What one plain payload and its line are beside their numbers. A device says the same thing all day with other numbers: the next payload
 * is compared with the last one eight bytes at a time, and only its numbers are read.
 */
export class Shape {
  /** The reading, with the numbers that it had; not to be given away, because readings may be added to. */
  readonly reading: Readonly<Reading>
  /** In which life of its counter the device was. */
  readonly life: number
  readonly #bytes: DataView
  readonly #payload: Frame
  readonly #line: Frame

  constructor(
    reading: Reading,
    life: number,
    payload: { bytes: Uint8Array; spots: readonly Spot[] },
    line: { bytes: Uint8Array; spots: readonly Spot[] },
  ) {
    this.reading = reading
    this.life = life
    this.#bytes = keptView([payload.bytes, line.bytes])
    this.#payload = frameOf(payload.spots, 0, payload.bytes.length)
    this.#line = frameOf(line.spots, payload.bytes.length, line.bytes.length)
  }

  /** Reads the numbers of a payload, `view[start..end)`, into the tables of `reader`; false when it has another shape. */
  read(reader: PlainPayload, data: Buffer, view: DataView, start: number, end: number): boolean {
    const { fields, starts, lengths } = this.#payload
    const bytes = this.#bytes
    const count = fields.length
    let at = start
    for (let i = 0; i < count; i++) {
      const length = lengths[i] ?? 0
      if (at + length >= end || !sameBytes(view, at, bytes, starts[i] ?? 0, length)) return false
      at = reader.readNumber(fields[i] as Field, data, view, at + length, end)
      if (at < 0) return false
    }
    const rest = lengths[count] ?? 0
    return at + rest === end && sameBytes(view, at, bytes, starts[count] ?? 0, rest)
  }

  /**
   * Writes the line with the numbers that `read` has found.
   *
   * @param received the digits of the reading's `received`
   * @param into has room for it
   */
  write(reader: PlainPayload, view: DataView, received: DataView, into: LineBuffer): void {
    const { fields, starts, lengths } = this.#line
    const bytes = this.#bytes
    const to = into.view
    const count = fields.length
    let at = into.length
    for (let i = 0; i < count; i++) {
      const length = lengths[i] ?? 0
      copyBytes(bytes, starts[i] ?? 0, length, to, at)
      at += length
      const field = fields[i] ?? RECEIVED
      const isReceived = field === RECEIVED
      const start = isReceived ? 0 : (reader.starts[field] ?? 0)
      const digits = (isReceived ? received.byteLength : (reader.ends[field] ?? 0)) - start
      copyBytes(isReceived ? received : view, start, digits, to, at)
      at += digits
    }
    const rest = lengths[count] ?? 0
    copyBytes(bytes, starts[count] ?? 0, rest, to, at)
    into.length = at + rest
  }
}

/** @param spots in the order in which they stand */
function frameOf(spots: readonly Spot[], base: number, length: number): Frame {
  const starts = new Int32Array(spots.length + 1)
  const lengths = new Int32Array(spots.length + 1)
  let at = 0
  for (const [i, { start, end }] of [...spots, { start: length, end: length }].entries()) {
    starts[i] = base + at
    lengths[i] = start - at
    at = end
  }
  return { fields: spots.map(({ field }) => field), starts, lengths }
}
