import type { Bytes, Lane, LineBuffer, Millis, Offset } from '../../sync/contract/index.ts'
import type { Cursor, Gap } from '../../sync/forward/index.ts'
import type { WriteOp } from '../ports/index.ts'
import { type BlockHeader, encodeBlock } from './block.ts'
import { type LaneExtent, pendingBytes } from './bounds.ts'
import { Gaps } from './gaps.ts'
import { Gather } from './gather.ts'
import { offsetKey } from './keys.ts'
import { RecentBlocks } from './recent.ts'
import { cursorOp, gapOps, type Head, headOp, segmentOp, type Trimmed, trimmedOp } from './records.ts'
import { Segments } from './segments.ts'

/** When gathered records are cut into a block. */
export interface BlockLimits {
  maxRecords: number
  maxBytes: Bytes
}

export const FRESH_CURSOR: Cursor = { next: 0, sequence: 0, streamCreated: null }

/** A block as it is stored. */
export interface CutBlock {
  first: Offset
  count: number
  committedAt: Millis
  value: Buffer
}

/**
 * One lane in memory: what is durable, what is gathered for the next commit, how far the centre is, and what is
 * missing. It decides nothing about time or disk: its methods return the writes that make a change durable.
 */
export class LaneState {
  readonly lane: Lane
  readonly gaps = new Gaps()
  readonly segments = new Segments()
  readonly recent = new RecentBlocks()
  cursor: Cursor = FRESH_CURSOR
  cursorDirty = false
  /** One past the newest durable record. */
  durable: Offset = 0
  /** The part that was trimmed away: where it ends (the oldest offset that can be read), and what was missing in it. */
  trimmed: Trimmed = { missing: 0, upTo: 0 }
  /** Running checksum and byte count up to the newest block that was cut. */
  lineage = 0
  bytes: Bytes = 0
  /** What is before it may be on its way to the centre. */
  #lent: Offset = 0
  #next: Offset = 0
  #cutTo: Offset = 0
  readonly #limits: BlockLimits
  /** Blocks that are not cut yet; there is always one. */
  #gathers: [Gather, ...Gather[]] = [new Gather()]
  #gather: Gather

  constructor(lane: Lane, limits: BlockLimits) {
    this.lane = lane
    this.#limits = limits
    this.#gather = this.#gathers[0]
  }

  /** Starts numbering at the head, after what is on disk. */
  restore(head: Head): void {
    this.durable = head.next
    this.#next = head.next
    this.#cutTo = head.next
    this.bytes = head.bytes
    this.lineage = head.lineage
  }

  /** One past the newest record, durable or not. */
  get next(): Offset {
    return this.#next
  }

  /** Oldest offset that can still be read. */
  get tail(): Offset {
    return this.trimmed.upTo
  }

  /** Adds one record (a line without its newline) to the next commit. */
  append(line: string): Offset {
    // A character of a string may be three bytes: the limit is about the size of a write, not about any format.
    this.#gatherFor(line.length).add(line)
    return this.#next++
  }

  /**
   * Where the next record is to be written, newline included; until `appendReserved`, it is not there.
   *
   * @param most bytes that it may have
   */
  reserve(most: Bytes): LineBuffer {
    const gather = this.#gatherFor(most)
    gather.reserve(most)
    return gather
  }

  /** Adds the record that was written where `reserve` said. */
  appendReserved(): Offset {
    this.#gather.count++
    return this.#next++
  }

  #gatherFor(bytes: Bytes): Gather {
    const { maxRecords, maxBytes } = this.#limits
    const { count, length } = this.#gather
    if (count >= maxRecords || (count > 0 && length + bytes >= maxBytes)) {
      this.#gather = new Gather()
      this.#gathers.push(this.#gather)
    }
    return this.#gather
  }

  /**
   * The writes that make everything gathered durable; the records are durable once `committed` is called.
   *
   * @returns the blocks that it made
   */
  cut(now: Millis, ops: WriteOp[]): readonly CutBlock[] {
    const blocks: CutBlock[] = []
    for (const { count, body } of this.#gathers) {
      if (count === 0) break
      const first = this.#cutTo
      if (this.segments.startsAt(this.bytes)) {
        const segment = { first, bytesBefore: this.bytes, committedAt: now, level: 0 }
        this.segments.push(segment)
        ops.push(segmentOp(this.lane, segment))
      }
      const { value, lineage } = encodeBlock(body, {
        count,
        first,
        committedAt: now,
        bytesBefore: this.bytes,
        lineageBefore: this.lineage,
      })
      ops.push({ type: 'put', key: offsetKey('b', this.lane, first), value })
      blocks.push({ first, count, committedAt: now, value })
      this.lineage = lineage
      this.bytes += body.length
      this.#cutTo += count
    }
    if (blocks.length > 0) ops.push(headOp(this.lane, { next: this.#cutTo, bytes: this.bytes, lineage: this.lineage }))
    const [gather] = this.#gathers
    gather.clear()
    this.#gather = gather
    this.#gathers = [gather]
    this.cutCursor(ops)
    return blocks
  }

  /** The write that makes the cursor durable, if it moved. */
  cutCursor(ops: WriteOp[]): void {
    if (!this.cursorDirty) return
    ops.push(cursorOp(this.lane, this.cursor))
    this.cursorDirty = false
  }

  /**
   * The writes that put a block which another gateway has cut behind what is there. Between the two there may be only what
   * is declared missing.
   */
  place(block: BlockHeader, value: Buffer): WriteOp[] {
    const { first, count, bytesBefore, bodyBytes, committedAt, lineage } = block
    const ops: WriteOp[] = []
    if (this.segments.startsAt(bytesBefore)) {
      const segment = { first, bytesBefore, committedAt, level: 0 }
      this.segments.push(segment)
      ops.push(segmentOp(this.lane, segment))
    }
    ops.push({ type: 'put', key: offsetKey('b', this.lane, first), value })
    this.lineage = lineage
    this.bytes = bytesBefore + bodyBytes
    ops.push(...this.#endAt(first + count))
    return ops
  }

  /** The writes that declare what another gateway has declared; at the end of the lane, it goes on behind it. */
  placeGap(gap: Gap): WriteOp[] {
    const { ops } = this.declare(gap)
    return gap.from <= this.#next && gap.to >= this.#next ? [...ops, ...this.#endAt(gap.to + 1)] : ops
  }

  #endAt(next: Offset): WriteOp[] {
    this.#next = next
    this.#cutTo = next
    return [headOp(this.lane, { next, bytes: this.bytes, lineage: this.lineage })]
  }

  /** The writes of the last `cut` are on disk: up to `head` (what `next` was when they were cut) all is durable. */
  committed(head: Offset): boolean {
    const grew = head > this.durable
    this.durable = head
    return grew
  }

  moveCursor(cursor: Cursor): void {
    const { next, sequence, streamCreated } = this.cursor
    if (cursor.next === next && cursor.sequence === sequence && cursor.streamCreated === streamCreated) return
    if (cursor.next < next) this.#lent = cursor.next
    this.cursor = cursor
    this.cursorDirty = true
  }

  /** Records before `upTo` may be on their way: whether the centre has them is open, so they must not be given up. */
  lend(upTo: Offset): void {
    this.#lent = upTo
  }

  /** What was lent to the sender before the store was reopened is on its way still. */
  adopt({ cursor, lent }: LaneState): void {
    if (cursor.next > this.durable) return
    this.moveCursor(cursor)
    this.#lent = lent
  }

  get lent(): Offset {
    return Math.max(this.#lent, this.cursor.next)
  }

  /** Declares records missing; returns what to write, and the parts that were not declared before. */
  declare(gap: Gap): { ops: WriteOp[]; fresh: readonly Gap[] } {
    const change = this.gaps.declare(gap)
    return { ops: gapOps(this.lane, change), fresh: change.fresh }
  }

  /** Forgets everything before `upTo`; the entries themselves are to be deleted once the returned writes are durable. */
  trim(upTo: Offset): WriteOp[] {
    const missing = this.gaps.lostFrom(this.trimmed.upTo) - this.gaps.lostFrom(upTo)
    this.trimmed = { missing: this.trimmed.missing + missing, upTo }
    this.segments.dropBefore(upTo)
    const cut = this.gaps.forgetBefore(upTo)
    const ops = [trimmedOp(this.lane, this.trimmed)]
    if (cut) ops.push(...gapOps(this.lane, { fresh: [], put: [cut], gone: [] }))
    return ops
  }

  extent(replayFrom: Offset): LaneExtent {
    return {
      segments: this.segments.all,
      head: { offset: this.#cutTo, bytes: this.bytes },
      cursor: this.cursor.next,
      lent: this.lent,
      replayFrom,
    }
  }

  /** Records ever declared missing; those that another gateway has sent are not. */
  get missing(): number {
    return this.trimmed.missing + this.gaps.lostFrom(this.trimmed.upTo)
  }

  /**
   * Records not yet forwarded and not given up. What was trimmed away had been forwarded, even if the centre forgot it
   * since.
   */
  get pending(): number {
    const from = Math.max(this.cursor.next, this.tail)
    return this.durable - from - this.gaps.missingFrom(from)
  }

  /** About how many bytes those are. */
  get pendingBytes(): Bytes {
    return pendingBytes(this.extent(0))
  }
}
