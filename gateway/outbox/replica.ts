import { crc32 } from 'node:zlib'
import { LANES, type Lane, type Offset, OperatorError, RetryableError } from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import { inKeySpace, type KeyValueStore, keySpace, type WriteOp } from '../ports/index.ts'
import { type Block, decodeBlock, encodeBlock, skipLines } from './block.ts'
import { namedKey, replicaPrefix } from './keys.ts'
import type { BlockLimits, LaneState } from './lane.ts'
import { loadLane } from './load.ts'
import { decodeNote, encodeNote } from './note.ts'
import type { Lanes } from './opening.ts'

const PATCHED_KEY = namedKey('m', 'patched')
const BRIEFED_KEY = namedKey('m', 'briefed')
const HEAR_KEY = namedKey('m', 'hear')

/** Records of a lane as they came back from the centre: a pack. */
export interface ReturnedRecords {
  from: Offset
  to: Offset
  gaps: readonly Gap[]
  /** One for each offset that is in no gap. */
  lines: readonly string[]
}

/**
 * The lanes of another gateway as this one has them, in the same store as its own. Like `LaneState` it decides nothing
 * about time or disk: its methods return the writes that make a change durable.
 */
export class Replica {
  /** `gateway/epoch` */
  readonly origin: string
  readonly lanes: Lanes
  readonly #prefix: Buffer
  #patched: boolean
  #briefed: boolean
  #hearFrom: Offset

  private constructor(origin: string, lanes: Lanes, patched: boolean, briefed: boolean, hearFrom: Offset) {
    this.#briefed = briefed
    this.#hearFrom = hearFrom
    this.origin = origin
    this.lanes = lanes
    this.#prefix = replicaPrefix(origin)
    this.#patched = patched
  }

  /** What the store has of this origin, and what to write to mend it. */
  static async load(
    store: KeyValueStore,
    origin: string,
    limits: BlockLimits,
  ): Promise<{ replica: Replica; mend: WriteOp[] }> {
    const prefix = replicaPrefix(origin)
    const space = keySpace(store, prefix)
    const readings = await loadLane(space, 'readings', limits)
    const events = await loadLane(space, 'events', limits)
    const deadletters = await loadLane(space, 'deadletters', limits)
    const lanes = { readings: readings.state, events: events.state, deadletters: deadletters.state }
    const patched = decodeNote<boolean>(await space.get(PATCHED_KEY)) === true
    const mend = [readings, events, deadletters].flatMap((lane) => lane.mend)
    const briefed = decodeNote<boolean>(await space.get(BRIEFED_KEY)) === true
    const hearFrom = decodeNote<Offset>(await space.get(HEAR_KEY)) ?? readings.state.tail
    return { replica: new Replica(origin, lanes, patched, briefed, hearFrom), mend: inKeySpace(prefix, mend) }
  }

  /** Some of it came back from the centre: running checksums do not say any more what they said at its gateway. */
  get patched(): boolean {
    return this.#patched
  }

  /** Its gateway has told what it knows beyond its lanes. */
  get briefed(): boolean {
    return this.#briefed
  }

  /** The write that keeps that. */
  wasBriefed(): WriteOp[] {
    this.#briefed = true
    return this.ops([{ type: 'put', key: BRIEFED_KEY, value: encodeNote(true) }])
  }

  /** Readings from here on are needed to rebuild the state machine. */
  get hearFrom(): Offset {
    return this.#hearFrom
  }

  /** The write that keeps it, if it moved. */
  keepHearFrom(offset: Offset): WriteOp[] {
    if (offset === this.#hearFrom) return []
    this.#hearFrom = offset
    return this.ops([{ type: 'put', key: HEAR_KEY, value: encodeNote(offset) }])
  }

  /** Its part of the store. */
  space(store: KeyValueStore): KeyValueStore {
    return keySpace(store, this.#prefix)
  }

  /** Writes of a lane of it, as writes of the whole store. */
  ops(ops: readonly WriteOp[]): WriteOp[] {
    return inKeySpace(this.#prefix, ops)
  }

  /**
   * A block as the peer has it; of one that is there in part, the rest.
   *
   * @returns the writes, and the block that is new; null when nothing is
   * @throws OperatorError `BLOCK_DAMAGED`
   * @throws RetryableError `REPLICA_HOLE`, `REPLICA_FORKED` when it does not go on where the replica ends
   */
  accept(lane: Lane, value: Buffer): { ops: WriteOp[]; block: Block } | null {
    const state = this.lanes[lane]
    const whole = decodeBlock(value)
    if (whole.first + whole.count <= state.next) return null
    const isWhole = whole.first >= state.next
    const block = isWhole ? whole : restOf(whole, state.next)
    this.#assertGoesOn(state, block)
    const stored = isWhole ? Buffer.from(value) : encodeBlock(block.body, block).value
    return { ops: this.ops(state.place(block, stored)), block }
  }

  /** What the peer has declared missing. */
  declare(lane: Lane, gap: Gap): WriteOp[] {
    return this.ops(this.lanes[lane].placeGap(gap))
  }

  /**
   * Records that the centre has, and that the replica lacks.
   *
   * @returns the writes, and what of it was new, in order
   */
  fill(
    lane: Lane,
    { from, to, gaps, lines }: ReturnedRecords,
    now: number,
  ): { ops: WriteOp[]; fresh: { offset: Offset; line: string }[] } {
    const state = this.lanes[lane]
    const ops: WriteOp[] = []
    const fresh: { offset: Offset; line: string }[] = []
    // What left elsewhere has not left here, also if the record itself came another way.
    for (const gap of gaps)
      if (gap.reason === 'repeated' && gap.from < state.next)
        ops.push(...state.placeGap({ ...gap, to: Math.min(gap.to, state.next - 1) }))
    if (to < state.next) return { ops: this.ops(ops), fresh }
    if (from > state.next) ops.push(...state.placeGap({ from: state.next, to: from - 1, reason: 'trimmed' }))
    let at = from
    let line = 0
    for (const gap of [...gaps, { from: to + 1, to: to + 1, reason: null }]) {
      const run = lines.slice(line, line + gap.from - at)
      const known = Math.min(run.length, Math.max(0, state.next - at))
      if (known < run.length) {
        for (let i = known; i < run.length; i++) fresh.push({ offset: at + i, line: run[i] ?? '' })
        const facts = { count: run.length - known, first: at + known, committedAt: now }
        const sums = { bytesBefore: state.bytes, lineageBefore: state.lineage }
        const { value } = encodeBlock(Buffer.from(`${run.slice(known).join('\n')}\n`), { ...facts, ...sums })
        ops.push(...state.place(decodeBlock(value), value))
      }
      line += run.length
      if (gap.reason !== null && gap.to >= state.next)
        ops.push(...state.placeGap({ from: Math.max(gap.from, state.next), to: gap.to, reason: gap.reason }))
      at = gap.to + 1
    }
    this.#patched = true
    ops.push({ type: 'put', key: PATCHED_KEY, value: encodeNote(true) })
    return { ops: this.ops(ops), fresh }
  }

  /** The writes for cursors that moved. */
  cutCursors(ops: WriteOp[]): void {
    const own: WriteOp[] = []
    for (const lane of LANES) this.lanes[lane].cutCursor(own)
    for (const op of this.ops(own)) ops.push(op)
  }

  #assertGoesOn(state: LaneState, { first, lineageBefore }: Block): void {
    if (first > state.next)
      throw new RetryableError(
        'REPLICA_HOLE',
        `the replica of ${this.origin} has ${state.lane} up to ${state.next}, and was sent ${first} next`,
      )
    if (!this.#patched && state.next > 0 && !state.gaps.has(first - 1) && lineageBefore !== state.lineage)
      throw new OperatorError(
        'REPLICA_FORKED',
        `the replica of ${this.origin} has other ${state.lane} before ${first} than its gateway`,
      )
  }
}

/** The records of a block from `next` on. */
function restOf(block: Block, next: Offset): Block {
  const start = skipLines(block.body, next - block.first)
  const facts = { count: block.count - (next - block.first), first: next, committedAt: block.committedAt }
  const { value } = encodeBlock(block.body.subarray(start), {
    ...facts,
    bytesBefore: block.bytesBefore + start,
    lineageBefore: lineageWithin(block, start),
  })
  return decodeBlock(value)
}

const lineageWithin = (block: Block, start: number): number => crc32(block.body.subarray(0, start), block.lineageBefore)
