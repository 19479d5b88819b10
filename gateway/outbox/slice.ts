import { crc32 } from 'node:zlib'
import type { Bytes, Offset } from '../../sync/contract/index.ts'
import type { Gap, LaneSlice } from '../../sync/forward/index.ts'
import { type Block, skipLines } from './block.ts'

/** A message that declares more holes than this is cut short: its header would grow without bound. */
const MAX_GAPS = 40

const NEWLINE = 10

/** Puts records and holes, in order, together into a slice of at most `maxBytes` (but at least one record). */
export class SliceBuilder {
  readonly #from: Offset
  readonly #maxBytes: Bytes
  readonly #bodies: Buffer[] = []
  readonly #gaps: Gap[] = []
  #bytes: Bytes = 0
  #count = 0
  #next: Offset
  #lineage: number | null = null

  constructor(from: Offset, maxBytes: Bytes) {
    this.#from = from
    this.#next = from
    this.#maxBytes = maxBytes
  }

  /** The offset that follows what was taken so far. */
  get next(): Offset {
    return this.#next
  }

  /**
   * Goes over holes that begin at `next` and follow each other; false when there were too many, and some are left.
   *
   * @param lineage behind the last of them; null when it cannot be told
   */
  skip(holes: readonly Gap[], lineage: number | null): boolean {
    for (const hole of holes) {
      if (this.#gaps.length >= MAX_GAPS) return false
      this.#gaps.push(hole)
      this.#next = hole.to + 1
      this.#lineage = null
    }
    this.#lineage = lineage
    return true
  }

  /** Takes the block, which holds `next`, from there on; false when not all of it fitted. */
  take(block: Block): boolean {
    const end = block.first + block.count
    const start = skipLines(block.body, this.#next - block.first)
    const rest = block.body.subarray(start)
    if (this.#bytes + rest.length <= this.#maxBytes) {
      this.#add(rest, end - this.#next, block.lineage)
      return true
    }
    if (this.#count === 0) {
      const part = takeLines(rest, this.#maxBytes)
      const lineage = crc32(block.body.subarray(0, start + part.bytes), block.lineageBefore)
      this.#add(rest.subarray(0, part.bytes), part.lines, lineage)
    }
    return false
  }

  done(): LaneSlice {
    const [only] = this.#bodies
    const body = this.#bodies.length === 1 && only ? only : Buffer.concat(this.#bodies)
    return { from: this.#from, next: this.#next, count: this.#count, body, gaps: this.#gaps, lineage: this.#lineage }
  }

  #add(body: Buffer, count: number, lineage: number): void {
    this.#bodies.push(body)
    this.#bytes += body.length
    this.#count += count
    this.#next += count
    this.#lineage = lineage
  }
}

/** As many whole lines as fit into `maxBytes`, at least one. */
function takeLines(body: Buffer, maxBytes: Bytes): { bytes: Bytes; lines: number } {
  const fits = maxBytes >= 1 ? body.lastIndexOf(NEWLINE, maxBytes - 1) : -1
  const end = fits < 0 ? body.indexOf(NEWLINE) : fits
  let lines = 0
  for (let at = body.indexOf(NEWLINE); at >= 0 && at <= end; at = body.indexOf(NEWLINE, at + 1)) lines++
  return { bytes: end + 1, lines }
}
