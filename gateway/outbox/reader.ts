import { crc32 } from 'node:zlib'
import type { Bytes, Lane, Millis, Offset } from '../../sync/contract/index.ts'
import type { Cursor, Gap, LaneSlice, LaneSource } from '../../sync/forward/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import { type Block, decodeBlock, skipLines } from './block.ts'
import { offsetOf, offsetRange } from './keys.ts'
import type { LaneState } from './lane.ts'
import { gapOp, setAsideOps } from './load.ts'

/** A message that declares more holes than this is cut short: its header would grow without bound. */
const MAX_GAPS = 40

/** What a reader needs from the outbox around it. */
export interface ReaderHost {
  epoch(): string
  /** The open store; waits while it is being reopened. */
  store(): Promise<KeyValueStore>
  /** The lane as it is now (a reopened store has a new one). */
  state(): LaneState
  /** Adds writes to the next commit. */
  attach(ops: readonly WriteOp[]): void
  damaged(lane: Lane, gap: Gap): void
  cursorMoved(): void
  startEpoch(): Promise<void>
}

/** Reads a lane back in order; damage becomes a declared gap instead of an error, so that the rest goes on. */
export class LaneReader implements LaneSource {
  readonly lane: Lane
  readonly #host: ReaderHost
  readonly #listeners = new Set<() => void>()
  /** Where the last slice ended if that was the end of a block: the next read needs no search. */
  #boundary: Offset | null = null

  constructor(lane: Lane, host: ReaderHost) {
    this.lane = lane
    this.#host = host
  }

  get epoch(): string {
    return this.#host.epoch()
  }

  get cursor(): Cursor {
    return this.#host.state().cursor
  }

  get head(): Offset {
    return this.#host.state().durable
  }

  get tail(): Offset {
    return this.#host.state().tail
  }

  moveCursor(cursor: Cursor): void {
    const state = this.#host.state()
    state.cursor = cursor
    state.cursorDirty = true
    this.#host.cursorMoved()
  }

  startEpoch(): Promise<void> {
    return this.#host.startEpoch()
  }

  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Called by the outbox when `head` grew. */
  grew(): void {
    for (const listener of this.#listeners) listener()
  }

  async oldestPending(): Promise<Millis | null> {
    const { cursor, durable } = this.#host.state()
    if (cursor.next >= durable) return null
    for await (const block of this.#blocks(cursor.next)) return block.committedAt
    return null
  }

  async lineageAt(offset: Offset): Promise<number | null> {
    if (offset === 0) return 0
    for await (const block of this.#blocks(offset - 1)) {
      if (block.first >= offset || block.first + block.count < offset) return null
      const end = skipLines(block.body, offset - block.first)
      return crc32(block.body.subarray(0, end), block.lineageBefore)
    }
    return null
  }

  async read(from: Offset, maxBytes: Bytes): Promise<LaneSlice> {
    const head = this.head
    const bodies: Buffer[] = []
    const gaps: Gap[] = []
    let bytes = 0
    let count = 0
    let next = from
    let lineage: number | null = null

    const skipTo = (offset: Offset): boolean => {
      const missing = this.#missing(next, offset - 1)
      if (gaps.length > 0 && gaps.length + missing.length > MAX_GAPS) return false
      gaps.push(...missing)
      next = offset
      return true
    }

    for await (const block of this.#blocks(from)) {
      const end = Math.min(block.first + block.count, head)
      if (end <= next) continue
      if (block.first >= head) break
      if (block.first > next && !skipTo(block.first)) break
      const start = skipLines(block.body, next - block.first)
      const rest = block.body.subarray(start)
      if (bytes + rest.length <= maxBytes) {
        bodies.push(rest)
        bytes += rest.length
        count += end - next
        next = end
        lineage = block.lineage
        this.#boundary = next
        continue
      }
      if (count === 0) {
        const part = takeLines(rest, maxBytes)
        bodies.push(rest.subarray(0, part.bytes))
        count += part.lines
        next += part.lines
        lineage = crc32(block.body.subarray(0, start + part.bytes), block.lineageBefore)
      }
      return this.#slice(from, next, count, bodies, gaps, lineage)
    }
    // Everything up to the head was seen; what is missing at its end is missing for good.
    if (next < head && bytes < maxBytes && gaps.length < MAX_GAPS) skipTo(head)
    return this.#slice(from, next, count, bodies, gaps, lineage)
  }

  #slice(
    from: Offset,
    next: Offset,
    count: number,
    bodies: Buffer[],
    gaps: readonly Gap[],
    lineage: number | null,
  ): LaneSlice {
    const only = bodies[0]
    const body = bodies.length === 1 && only ? only : Buffer.concat(bodies)
    return { from, next, count, body, gaps, lineage }
  }

  /** The declared holes in [from, to]; whatever is not declared there is damage, and is declared now. */
  #missing(from: Offset, to: Offset): Gap[] {
    const { gaps } = this.#host.state()
    const declared = gaps.within(from, to)
    const all: Gap[] = []
    let at = from
    for (const gap of [...declared, { from: to + 1, to: to + 1, reason: 'damaged' as const }]) {
      if (gap.from > at) {
        const hole = gaps.add({ from: at, to: gap.from - 1, reason: 'damaged' })
        this.#host.attach([gapOp(this.lane, hole)])
        this.#host.damaged(this.lane, { from: at, to: gap.from - 1, reason: 'damaged' })
        all.push({ from: at, to: gap.from - 1, reason: 'damaged' })
      }
      if (gap.from <= to) all.push(gap)
      at = gap.to + 1
    }
    return all
  }

  /** Sound blocks from the one that holds `from` on; damaged ones are set aside on the way. */
  async *#blocks(from: Offset): AsyncIterable<Block> {
    const store = await this.#host.store()
    const start = await this.#startOf(store, from)
    for await (const [key, value] of store.entries(offsetRange('b', this.lane, start))) {
      const first = offsetOf(key)
      // An eviction that was cut short by a crash: the hole is declared, some of its blocks are still there.
      if (this.#host.state().gaps.within(first, first).length > 0) continue
      let block: Block
      try {
        block = decodeBlock(value)
      } catch {
        // Not swallowed: reported and declared as a gap.
        await this.#setAside(store, first, value)
        continue
      }
      yield block
    }
  }

  async #setAside(store: KeyValueStore, first: Offset, value: Buffer): Promise<void> {
    let end = this.head
    for await (const key of store.keys(offsetRange('b', this.lane, first + 1))) {
      end = offsetOf(key)
      break
    }
    const gap = this.#host.state().gaps.add({ from: first, to: end - 1, reason: 'damaged' })
    this.#host.attach(setAsideOps(this.lane, first, value, gap))
    this.#host.damaged(this.lane, { from: first, to: end - 1, reason: 'damaged' })
  }

  /** The key of the block that holds `offset` (or would). */
  async #startOf(store: KeyValueStore, offset: Offset): Promise<Offset> {
    if (offset === this.#boundary) return offset
    for await (const key of store.keys(offsetRange('b', this.lane, 0, offset + 1), { reverse: true }))
      return offsetOf(key)
    return offset
  }
}

/** As many whole lines as fit into `maxBytes`, at least one. */
function takeLines(body: Buffer, maxBytes: Bytes): { bytes: Bytes; lines: number } {
  let end = body.lastIndexOf(10, maxBytes - 1)
  if (end < 0) end = body.indexOf(10)
  let lines = 0
  for (let at = body.indexOf(10); at >= 0 && at <= end; at = body.indexOf(10, at + 1)) lines++
  return { bytes: end + 1, lines }
}
