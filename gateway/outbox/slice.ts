import { crc32 } from 'node:zlib'
import type { Bytes, Offset } from '../../sync/contract/index.ts'
import type { Gap, LaneSlice } from '../../sync/forward/index.ts'
import { type Block, skipLines } from './block.ts'

/** A message that declares more holes than this is cut short: its header would grow without bound. */
const MAX_GAPS = 40

const NEWLINE = 10

/**
 * Puts records and holes, in order, together into a slice of at most `maxBytes` (but at least one record). Holes may lie
 * anywhere, also within a block: their lines are left out, and count for the running checksum all the same.
 */
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
      if (!this.#declare(hole)) return false
      this.#lineage = null
    }
    this.#lineage = lineage
    return true
  }

  /**
   * Takes the block, which holds `next`, from there on; false when not all of it fitted.
   *
   * @param holes from `next` on and before `end`, in order
   * @param end where to stop: the end of the block, or before it
   */
  take(block: Block, holes: readonly Gap[], end: Offset): boolean {
    const { body } = block
    const runs = runsOf(block, this.#next, holes, end)
    const bytes = runs.reduce((sum, run) => sum + run.end - run.start, 0)
    const fits = this.#bytes + bytes <= this.#maxBytes && this.#gaps.length + holes.length <= MAX_GAPS
    // What does not fit into what is left begins the next slice; of what fits into none, an empty one takes what it can.
    if (!fits && this.#count > 0) return false
    let at = 0
    for (const [i, run] of runs.entries()) {
      const part = takeLines(
        body.subarray(run.start, run.end),
        run.count,
        this.#maxBytes - this.#bytes,
        this.#count === 0,
      )
      at = run.start + part.bytes
      this.#add(body.subarray(run.start, at), part.lines)
      const hole = holes[i]
      if (part.lines < run.count || !hole || !this.#declare(hole)) break
      at = runs[i + 1]?.start ?? at
    }
    const whole = this.#next === block.first + block.count
    this.#lineage = whole ? block.lineage : crc32(body.subarray(0, at), block.lineageBefore)
    return this.#next === end
  }

  done(): LaneSlice {
    const [only] = this.#bodies
    const body = this.#bodies.length === 1 && only ? only : Buffer.concat(this.#bodies)
    return { from: this.#from, next: this.#next, count: this.#count, body, gaps: this.#gaps, lineage: this.#lineage }
  }

  #add(body: Buffer, count: number): void {
    if (count === 0) return
    this.#bodies.push(body)
    this.#bytes += body.length
    this.#count += count
    this.#next += count
  }

  /** False when there are too many. A hole that goes on in the next block is one. */
  #declare(hole: Gap): boolean {
    const last = this.#gaps.at(-1)
    if (last && last.to + 1 === hole.from && last.reason === hole.reason)
      this.#gaps.splice(-1, 1, { ...last, to: hole.to })
    else if (this.#gaps.length < MAX_GAPS) this.#gaps.push(hole)
    else return false
    this.#next = hole.to + 1
    return true
  }
}

/** Lines of a block that stay, one after the other, and where they are in its body. */
interface Run {
  count: number
  start: Bytes
  end: Bytes
}

/** What stays before, between and behind the holes: one run more than there are holes, some of them empty. */
function runsOf(block: Block, from: Offset, holes: readonly Gap[], end: Offset): Run[] {
  const { body, first } = block
  const runs: Run[] = []
  let offset = first
  let at = 0
  const seek = (to: Offset): Bytes => {
    at += skipLines(body.subarray(at), to - offset)
    offset = to
    return at
  }
  let next = from
  for (const hole of holes) {
    runs.push({ count: hole.from - next, start: seek(next), end: seek(hole.from) })
    next = hole.to + 1
  }
  const start = seek(next)
  runs.push({ count: end - next, start, end: end === first + block.count ? body.length : seek(end) })
  return runs
}

/** As many whole lines as fit into `maxBytes`, `some`: but at least one. */
function takeLines(body: Buffer, count: number, maxBytes: Bytes, some: boolean): { bytes: Bytes; lines: number } {
  if (body.length <= maxBytes || count === 0) return { bytes: body.length, lines: count }
  const fits = maxBytes >= 1 ? body.lastIndexOf(NEWLINE, maxBytes - 1) : -1
  const end = fits < 0 && some ? body.indexOf(NEWLINE) : fits
  let lines = 0
  for (let at = body.indexOf(NEWLINE); at >= 0 && at <= end; at = body.indexOf(NEWLINE, at + 1)) lines++
  return { bytes: end + 1, lines }
}
