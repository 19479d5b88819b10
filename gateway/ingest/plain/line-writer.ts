import type { LineBuffer } from '../../../sync/contract/index.ts'
import { copyBytes, viewOf } from '../words.ts'
import { type Field, KIND, type PlainPayload, RECEIVED } from './payload.ts'
import type { Spot } from './shape.ts'

export const asciiView = (text: string): DataView => viewOf(Buffer.from(text, 'latin1'))

/** Puts a line together, and notes where its numbers stand. */
export class LineWriter {
  readonly spots: Spot[] = []
  readonly #into: LineBuffer
  readonly #start: number

  /** @param into has room for all of it */
  constructor(into: LineBuffer) {
    this.#into = into
    this.#start = into.length
  }

  put(piece: DataView): void {
    this.#copy(piece, 0, piece.byteLength)
  }

  /** What stands in a field, without its quotes. */
  span(data: DataView, { starts, ends }: PlainPayload, field: Field): void {
    const start = starts[field] ?? 0
    this.#copy(data, start, (ends[field] ?? 0) - start)
  }

  /** A number in its shortest form; or a truth. */
  number(field: Field, data: DataView, payload: PlainPayload): void {
    const { length } = this.#into
    this.span(data, payload, field)
    if (payload.kinds[field] === KIND.number) this.#note(field, length)
  }

  received(digits: DataView): void {
    const { length } = this.#into
    this.put(digits)
    this.#note(RECEIVED, length)
  }

  #note(field: Spot['field'], start: number): void {
    this.spots.push({ field, start: start - this.#start, end: this.#into.length - this.#start })
  }

  #copy(from: DataView, start: number, length: number): void {
    copyBytes(from, start, length, this.#into.view, this.#into.length)
    this.#into.length += length
  }
}
