import type { Bytes, Lane, Millis, Offset } from '../../sync/contract/index.ts'
import type { Cursor } from '../../sync/forward/index.ts'
import type { WriteOp } from '../ports/index.ts'
import { encodeBlock } from './block.ts'
import type { LaneExtent } from './bounds.ts'
import { Gaps } from './gaps.ts'
import { cursorKey, namedKey, offsetKey } from './keys.ts'
import { type Segment, Segments } from './segments.ts'

/** When gathered records are cut into a block. */
export interface BlockLimits {
  maxRecords: number
  maxBytes: Bytes
}

export const FRESH_CURSOR: Cursor = { next: 0, sequence: 0, streamCreated: null }

export interface Trimmed {
  missing: number
  upTo: Offset
}

interface Gather {
  text: string
  count: number
}

/**
 * One lane in memory: what is durable, what is gathered for the next commit, how far the centre is, and what is
 * missing. It decides nothing about time or disk; `cut` turns the gathered records into writes.
 */
export class LaneState {
  readonly lane: Lane
  readonly gaps = new Gaps()
  readonly segments = new Segments()
  cursor: Cursor = FRESH_CURSOR
  cursorDirty = false
  /** One past the newest durable record. */
  durable: Offset = 0
  /** Missing records in the part that was trimmed away, and where that part ends. */
  trimmed: Trimmed = { missing: 0, upTo: 0 }
  /** Oldest offset that can still be read. */
  tail: Offset = 0
  /** Running checksum and byte count up to the newest block that was cut. */
  lineage = 0
  bytes: Bytes = 0
  #next: Offset = 0
  #cutTo: Offset = 0
  readonly #limits: BlockLimits
  #gathers: Gather[] = []

  constructor(lane: Lane, limits: BlockLimits) {
    this.lane = lane
    this.#limits = limits
  }

  /** Starts numbering at `head`, after what is on disk. */
  restore(head: Offset, facts: { bytes: Bytes; lineage: number; tail: Offset }): void {
    this.durable = head
    this.#next = head
    this.#cutTo = head
    this.bytes = facts.bytes
    this.lineage = facts.lineage
    this.tail = facts.tail
  }

  /** One past the newest record, durable or not. */
  get next(): Offset {
    return this.#next
  }

  /** Adds one record (a line without its newline) to the next commit. */
  append(line: string): Offset {
    const { maxRecords, maxBytes } = this.#limits
    let gather = this.#gathers.at(-1)
    if (!gather || gather.count >= maxRecords || gather.text.length + line.length >= maxBytes) {
      gather = { text: '', count: 0 }
      this.#gathers.push(gather)
    }
    gather.text += `${line}\n`
    gather.count++
    return this.#next++
  }

  /** The writes that make everything gathered durable; the records are durable once `committed` is called. */
  cut(now: Millis, ops: WriteOp[]): void {
    for (const gather of this.#gathers) {
      const body = Buffer.from(gather.text, 'utf8')
      const first = this.#cutTo
      if (this.segments.startsAt(this.bytes)) {
        const segment = { first, bytesBefore: this.bytes, committedAt: now, level: 0 }
        this.segments.push(segment)
        ops.push(segmentOp(this.lane, segment))
      }
      const { value, lineage } = encodeBlock(body, {
        count: gather.count,
        first,
        committedAt: now,
        bytesBefore: this.bytes,
        lineageBefore: this.lineage,
      })
      ops.push({ type: 'put', key: offsetKey('b', this.lane, first), value })
      this.lineage = lineage
      this.bytes += body.length
      this.#cutTo += gather.count
    }
    this.#gathers = []
    if (this.cursorDirty) {
      ops.push({ type: 'put', key: cursorKey(this.lane), value: Buffer.from(JSON.stringify(this.cursor)) })
      this.cursorDirty = false
    }
  }

  /** The writes of the last `cut` are on disk: up to `head` (what `next` was when they were cut) all is durable. */
  committed(head: Offset): boolean {
    const grew = head > this.durable
    this.durable = head
    return grew
  }

  extent(replayFrom: Offset): LaneExtent {
    return {
      segments: this.segments.all,
      head: { offset: this.#cutTo, bytes: this.bytes },
      cursor: this.cursor.next,
      replayFrom,
    }
  }

  /** Records ever declared missing. */
  get missing(): number {
    return this.trimmed.missing + this.gaps.missingFrom(this.trimmed.upTo)
  }

  /** Records not yet forwarded and not given up. */
  get pending(): number {
    return this.durable - this.cursor.next - this.gaps.missingFrom(this.cursor.next)
  }

  /** About how many bytes those are. */
  get pendingBytes(): Bytes {
    const head = { offset: this.#cutTo, bytes: this.bytes }
    return Math.max(0, head.bytes - this.segments.bytesBefore(this.cursor.next, head))
  }
}

export function trimmedKey(lane: Lane): Buffer {
  return namedKey('m', `trimmed-${lane}`)
}

export function segmentOp(lane: Lane, segment: Segment): WriteOp {
  return { type: 'put', key: offsetKey('p', lane, segment.first), value: Buffer.from(JSON.stringify(segment)) }
}
