interface Known {
  readonly bytes: Uint8Array
  readonly text: string
}

/**
 * Texts by their bytes: devices say the same few topics, units and session ids all day, so these need to be checked and decoded
 * only once, and every table behind that is asked for one gets the same string, whose hash is known. Bounded: texts
 * that fall into one slot displace each other, which costs time and nothing else.
 */
export class KnownTexts {
  readonly #slots: Array<Known | undefined>
  readonly #mask: number

  /** @param slots a power of two; one is a pointer or two */
  constructor(slots: number) {
    this.#slots = new Array(slots)
    this.#mask = slots - 1
  }

  /** The text of `data[start..end)`, if it has been learnt and not been displaced since; null otherwise. */
  find(data: Buffer, start: number, end: number): string | null {
    const known = this.#slots[this.#slot(data, start, end)]
    if (known === undefined) return null
    const { bytes } = known
    if (bytes.length !== end - start) return null
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== data[start + i]) return null
    return known.text
  }

  /** Remembers `data[start..end)`, which has to be valid UTF-8, and returns its text. */
  learn(data: Buffer, start: number, end: number): string {
    const text = data.toString('utf8', start, end)
    // A copy: a slice would keep the whole chunk alive.
    this.#slots[this.#slot(data, start, end)] = { bytes: new Uint8Array(data.subarray(start, end)), text }
    return text
  }

  /** FNV-1a. */
  #slot(data: Buffer, start: number, end: number): number {
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x01000193)
    return (hash ^ (hash >>> 15)) & this.#mask
  }
}
