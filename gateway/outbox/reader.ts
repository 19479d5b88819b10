import { crc32 } from 'node:zlib'
import { type Bytes, type Lane, type Millis, type Offset, RetryableError } from '../../sync/contract/index.ts'
import type { Cursor, Gap, LaneSlice, LaneSource } from '../../sync/forward/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import { type Block, skipLines, soundBlock, soundHeader } from './block.ts'
import { offsetOf, offsetRange } from './keys.ts'
import type { CutBlock, LaneState } from './lane.ts'
import { blockBefore } from './load.ts'
import { setAsideOps } from './records.ts'
import { SliceBuilder } from './slice.ts'

/** What a reader needs from the outbox around it. */
export interface ReaderHost {
  epoch(): string
  /** The open store; waits while it is being reopened. */
  store(): Promise<KeyValueStore>
  /** Whether `store` would answer at once. */
  readonly ready: boolean
  /** The lane as it is now (a reopened store has a new one). */
  state(): LaneState
  /** Adds writes to the next commit. */
  attach(ops: readonly WriteOp[]): void
  damaged(lane: Lane, gap: Gap): void
  startEpoch(): Promise<void>
  /** Records from here on are durable, but may not leave yet. */
  limit(): Offset
  /** Whether running checksums are those of the gateway that numbered the records. */
  hasLineage(): boolean
}

/** Blocks of a lane as they are stored, in order, and what is missing between and behind them. */
export interface BlockRun {
  blocks: readonly CutBlock[]
  gaps: readonly Gap[]
  /** The offset behind them. */
  next: Offset
}

/** Reads a lane back in order; damage becomes a declared gap instead of an error, so that the rest goes on. */
export class LaneReader implements LaneSource {
  readonly lane: Lane
  readonly #host: ReaderHost
  readonly #listeners = new Set<() => void>()
  /** Where the last slice ended if that was the end of a block: the next read needs no search. */
  #boundary: Offset | null = null
  /** A block that was read and did not fit into the last slice. */
  #spare: Block | null = null
  #oldestPending: Millis | null = null

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
    return Math.min(this.durable, this.#host.limit())
  }

  get durable(): Offset {
    return this.#host.state().durable
  }

  get tail(): Offset {
    return this.#host.state().tail
  }

  /** The cursor rides on the next commit; upkeep makes one when nothing else does. */
  moveCursor(cursor: Cursor): void {
    this.#host.state().moveCursor(cursor)
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

  /** While the store is being reopened, what was found last: whoever asks how things are must not have to wait. */
  async oldestPending(): Promise<Millis | null> {
    if (this.#host.ready) this.#oldestPending = await this.#findOldestPending()
    return this.#oldestPending
  }

  async lineageAt(offset: Offset): Promise<number | null> {
    if (!this.#host.hasLineage()) return null
    if (offset === 0) return 0
    for await (const block of this.#blocks(await this.#host.store(), offset - 1)) {
      if (block.first + block.count < offset) continue
      if (block.first > offset) return null
      if (block.first === offset) return block.lineageBefore
      const end = skipLines(block.body, offset - block.first)
      return crc32(block.body.subarray(0, end), block.lineageBefore)
    }
    return null
  }

  async read(from: Offset, maxBytes: Bytes, upTo = this.head): Promise<LaneSlice> {
    const head = Math.min(upTo, this.head)
    const store = await this.#host.store()
    const slice = new SliceBuilder(from, maxBytes)
    for await (const block of this.#blocksAhead(store, from, maxBytes)) {
      if (block.first >= head) break
      if (block.first + block.count <= slice.next) continue
      if (block.first > slice.next) {
        const holes = await this.#holes(store, slice.next, block.first - 1)
        if (!slice.skip(holes, block.lineageBefore)) return slice.done()
      }
      const end = Math.min(block.first + block.count, head)
      if (!slice.take(block, this.#host.state().gaps.within(slice.next, end - 1), end)) {
        this.#spare = block
        return slice.done()
      }
      if (end === block.first + block.count) this.#boundary = end
    }
    // Everything up to the head was seen; what is missing at its end is missing for good.
    if (slice.next < head) slice.skip(await this.#holes(store, slice.next, head - 1), null)
    return slice.done()
  }

  /**
   * Whole blocks, up to the newest durable record whether that may leave or not; the first is the one that holds `from`.
   *
   * @param maxBytes of values, but at least one block
   */
  async blocks(from: Offset, maxBytes: Bytes): Promise<BlockRun> {
    const { durable } = this.#host.state()
    const store = await this.#host.store()
    const blocks: CutBlock[] = []
    const gaps: Gap[] = []
    let [next, bytes] = [from, 0]
    for await (const [first, value] of this.#stored(store, from)) {
      if (first >= durable || bytes >= maxBytes) break
      if (this.#host.state().gaps.has(first) && soundBlock(first, value) === null) continue
      const block = soundBlock(first, value)
      if (!block) {
        await this.#setAside(store, first, value)
        continue
      }
      if (first + block.count <= next) continue
      if (first > next) gaps.push(...(await this.#holes(store, next, first - 1)))
      gaps.push(...this.#host.state().gaps.within(Math.max(first, next), first + block.count - 1))
      blocks.push({ first, count: block.count, committedAt: block.committedAt, value })
      next = first + block.count
      bytes += value.length
    }
    if (blocks.length === 0 && next < durable) {
      gaps.push(...(await this.#holes(store, next, durable - 1)))
      next = durable
    }
    return { blocks, gaps, next }
  }

  lend({ from, next, gaps }: LaneSlice): boolean {
    const state = this.#host.state()
    // What was trimmed can be declared too, in a copy that goes on behind it.
    const lasting = (list: readonly Gap[]): number => missingIn(list.filter(({ reason }) => reason !== 'trimmed'))
    if (lasting(state.gaps.within(from, next - 1)) !== lasting(gaps)) return false
    state.lend(next)
    return true
  }

  async #findOldestPending(): Promise<Millis | null> {
    const { cursor, durable } = this.#host.state()
    if (cursor.next >= durable) return null
    for await (const block of this.#blocks(await this.#host.store(), cursor.next)) {
      const last = block.first + block.count - 1
      if (!this.#host.state().gaps.cover(Math.max(block.first, cursor.next), last)) return block.committedAt
    }
    return null
  }

  /** What is missing in [from, to]. Whatever nobody declared and cannot be found is damage, and is declared now. */
  async #holes(store: KeyValueStore, from: Offset, to: Offset): Promise<Gap[]> {
    const { gaps, tail } = this.#host.state()
    if (gaps.undeclared(Math.max(from, tail), to).length > 0) await this.#assertGone(store, from, to)
    // From here on nothing waits: whatever was trimmed or given up meanwhile is declared by now.
    const state = this.#host.state()
    const trimmed = Math.min(to + 1, Math.max(from, state.tail))
    if (trimmed <= to) this.#declare({ from: trimmed, to, reason: 'damaged' })
    const holes = state.gaps.within(trimmed, to)
    return trimmed > from ? [{ from, to: trimmed - 1, reason: 'trimmed' }, ...holes] : holes
  }

  /**
   * Looks once more, to the very end of the range: there a failure of the disk that may pass is thrown, instead of being
   * taken for damage.
   */
  async #assertGone(store: KeyValueStore, from: Offset, to: Offset): Promise<void> {
    for await (const [key, value] of store.entries(offsetRange('b', this.lane, from, to + 1))) {
      const first = offsetOf(key)
      if (!(await this.#declared(store, first, value)))
        throw new RetryableError('OUTBOX_READ_FAILED', `block ${first} of ${this.lane} can be read only now and then`)
    }
  }

  /** The same as `#blocks`, beginning with the block that the last slice had no room for. */
  async *#blocksAhead(store: KeyValueStore, from: Offset, maxBytes: Bytes): AsyncIterable<Block> {
    const spare = this.#spare
    this.#spare = null
    if (!spare || from < spare.first || from >= spare.first + spare.count) {
      yield* this.#blocks(store, from, maxBytes)
      return
    }
    yield spare
    this.#boundary = spare.first + spare.count
    yield* this.#blocks(store, this.#boundary, maxBytes - spare.bodyBytes)
  }

  /** Sound blocks from the one that holds `from` on, also those of declared holes; damaged ones are set aside on the way. */
  async *#blocks(store: KeyValueStore, from: Offset, ahead: Bytes = 0): AsyncIterable<Block> {
    for await (const [first, value] of this.#stored(store, from, ahead)) {
      const block = soundBlock(first, value)
      if (block) yield block
      else if (!(await this.#declared(store, first, value))) await this.#setAside(store, first, value)
    }
  }

  /** Blocks as they are stored, from the one that holds `from` on. */
  async *#stored(store: KeyValueStore, from: Offset, ahead: Bytes = 0): AsyncIterable<readonly [Offset, Buffer]> {
    const recent = this.#host.state().recent.from(from)
    if (recent) {
      for (const { first, value } of recent) yield [first, value]
      return
    }
    const start = from === this.#boundary ? from : ((await blockBefore(store, this.lane, from)) ?? from)
    for await (const [key, value] of store.entries(offsetRange('b', this.lane, start), { ahead }))
      yield [offsetOf(key), value]
  }

  /** Whether all of a block is declared: an eviction that was cut short by a crash, for one, leaves some of its blocks. */
  async #declared(store: KeyValueStore, first: Offset, value: Buffer): Promise<boolean> {
    if (!this.#host.state().gaps.has(first)) return false
    const header = soundHeader(first, value)
    const end = header ? first + header.count : await this.#nextBlock(store, first)
    return this.#host.state().gaps.cover(first, end - 1)
  }

  async #setAside(store: KeyValueStore, first: Offset, value: Buffer): Promise<void> {
    const header = soundHeader(first, value)
    const end = header ? first + header.count : await this.#nextBlock(store, first)
    this.#host.attach(setAsideOps(this.lane, first, value))
    // What the centre has is not missing, even if it could not be sent again.
    const from = Math.max(first, this.#host.state().cursor.next)
    if (from < end) this.#declare({ from, to: end - 1, reason: 'damaged' })
  }

  /** Where the block that begins at `first`, but does not say how long it is, ends. */
  async #nextBlock(store: KeyValueStore, first: Offset): Promise<Offset> {
    const { head } = this
    for await (const key of store.keys(offsetRange('b', this.lane, first + 1))) {
      const next = offsetOf(key)
      await this.#assertGone(store, first + 1, next - 1)
      return next
    }
    return Math.max(head, first + 1)
  }

  #declare(gap: Gap): void {
    const { ops, fresh } = this.#host.state().declare(gap)
    this.#host.attach(ops)
    for (const part of fresh) this.#host.damaged(this.lane, part)
  }
}

const missingIn = (gaps: readonly Gap[]): number => gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)
