import { keptView, sameBytes } from './words.ts'

/** A text and its bytes. */
export interface KnownText {
  readonly bytes: DataView
  /** Of the bytes: asking the view costs a call. */
  readonly length: number
  readonly text: string
}

/**
 * Texts by their bytes: devices say the same few topics, units and session ids all day, so these need to be checked and decoded
 * only once, and every table behind that is asked for one gets the same string, whose hash is known. Bounded: texts
 * that fall into one slot displace each other, which costs time and nothing else.
 */
export class KnownTexts {
  readonly #slots: Array<KnownText | undefined>
  readonly #mask: number

  /** @param slots a power of two; one is a pointer or two */
  constructor(slots: number) {
    this.#slots = new Array(slots)
    this.#mask = slots - 1
  }

  /** `data[start..end)`, if it has been learnt and not been displaced since; null otherwise. */
  find(data: DataView, start: number, end: number): KnownText | null {
    const known = this.#slots[this.#slot(data, start, end)]
    return known !== undefined && isText(known, data, start, end) ? known : null
  }

  /** Remembers `data[start..end)`, which has to be valid UTF-8. */
  learn(data: DataView, start: number, end: number): KnownText {
    // A copy: a view would keep the whole chunk alive.
    const bytes = Buffer.from(data.buffer, data.byteOffset + start, end - start)
    const known = { bytes: keptView([bytes]), length: bytes.length, text: bytes.toString('utf8') }
    this.#slots[this.#slot(data, start, end)] = known
    return known
  }

  /** FNV-1a. */
  #slot(data: DataView, start: number, end: number): number {
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ data.getUint8(i), 0x01000193)
    return (hash ^ (hash >>> 15)) & this.#mask
  }
}

/** Whether `data[start..end)` is this text. */
export function isText({ bytes, length }: KnownText, data: DataView, start: number, end: number): boolean {
  return length === end - start && sameBytes(data, start, bytes, 0, length)
}
