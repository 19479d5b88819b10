import type { LineBuffer, Reading } from '../../../sync/contract/index.ts'
import { copyBytes, sameBytes, viewOf } from '../words.ts'
import { type Field, type PlainPayload, RECEIVED } from './payload.ts'

/** A stretch of a shape's own bytes. */
interface Piece {
  readonly start: number
  readonly length: number
}

/** Bytes in which numbers stand: a piece before each of them, and one behind the last. */
interface Frame {
  readonly pieces: readonly Piece[]
  readonly fields: readonly NumberField[]
  readonly last: Piece
}

type NumberField = Field | typeof RECEIVED

/** Where a number stands in some bytes. */
export interface Spot {
  readonly field: NumberField
  readonly start: number
  readonly end: number
}

/**
 * What one plain payload and its line are beside their numbers. A device says the same thing all day with other numbers: the next payload
 * is compared with the last one four bytes at a time, and only its numbers are read.
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
    this.#bytes = viewOf(Buffer.concat([payload.bytes, line.bytes]))
    this.#payload = frameOf(payload.spots, 0, payload.bytes.length)
    this.#line = frameOf(line.spots, payload.bytes.length, line.bytes.length)
  }

  /** Reads the numbers of a payload, `view[start..end)`, into the tables of `reader`; false when it has another shape. */
  read(reader: PlainPayload, data: Buffer, view: DataView, start: number, end: number): boolean {
    const { pieces, fields, last } = this.#payload
    let at = start
    for (let i = 0; i < fields.length; i++) {
      const piece = pieces[i]
      const field = fields[i]
      if (piece === undefined || field === undefined || field === RECEIVED || at + piece.length >= end) return false
      if (!sameBytes(view, at, this.#bytes, piece.start, piece.length)) return false
      at = reader.readNumber(field, data, at + piece.length, end)
      if (at < 0) return false
    }
    return at + last.length === end && sameBytes(view, at, this.#bytes, last.start, last.length)
  }

  /**
   * Writes the line with the numbers that `read` has found.
   *
   * @param into has room for it
   * @param received of which the reading's is
   */
  write(reader: PlainPayload, view: DataView, received: DataView, into: LineBuffer): void {
    const { pieces, fields, last } = this.#line
    const { starts, ends } = reader
    const to = into.view
    let at = into.length
    for (let i = 0; i < fields.length; i++) {
      const piece = pieces[i]
      const field = fields[i]
      if (piece === undefined || field === undefined) break
      copyBytes(this.#bytes, piece.start, piece.length, to, at)
      at += piece.length
      if (field === RECEIVED) {
        copyBytes(received, 0, received.byteLength, to, at)
        at += received.byteLength
      } else {
        const start = starts[field] ?? 0
        const length = (ends[field] ?? 0) - start
        copyBytes(view, start, length, to, at)
        at += length
      }
    }
    copyBytes(this.#bytes, last.start, last.length, to, at)
    into.length = at + last.length
  }

  /** Room that `write` needs beside that of the payload. */
  get room(): number {
    return this.#bytes.byteLength
  }
}

/** @param spots in the order in which they stand */
function frameOf(spots: readonly Spot[], base: number, length: number): Frame {
  const pieces: Piece[] = []
  let at = 0
  for (const { start, end } of spots) {
    pieces.push({ start: base + at, length: start - at })
    at = end
  }
  return { pieces, fields: spots.map(({ field }) => field), last: { start: base + at, length: length - at } }
}
