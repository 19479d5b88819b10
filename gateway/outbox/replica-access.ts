import type { Bytes, Lane, Offset, StreamSequence } from '../../sync/contract/index.ts'
import type { Gap, LaneSource } from '../../sync/forward/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import type { Block } from './block.ts'
import { offsetRange } from './keys.ts'
import type { BlockRun, LaneReader } from './reader.ts'
import type { Replica, ReturnedRecords } from './replica.ts'

/** What an opening is to its replicas. */
interface Host {
  readonly replicas: ReadonlyMap<string, Replica>
  readonly store: KeyValueStore
  attach(ops: readonly WriteOp[]): void
  commit(ops: readonly WriteOp[]): Promise<void>
}

/** A replica while the store may be closed and opened again underneath. What it takes in is durable with the next commit. */
export class ReplicaAccess {
  /** `gateway/epoch` */
  readonly origin: string
  readonly #readers: Readonly<Record<Lane, LaneReader>>
  readonly #host: () => Host

  constructor(origin: string, readers: Readonly<Record<Lane, LaneReader>>, host: () => Host) {
    this.origin = origin
    this.#readers = readers
    this.#host = host
  }

  get gateway(): string {
    return gatewayOf(this.origin)
  }

  get epoch(): string {
    return epochOf(this.origin)
  }

  /** Some of it came back from the centre, see `Replica`. */
  get patched(): boolean {
    return this.#replica.patched
  }

  /** Its gateway has told what it knows beyond its lanes. */
  get briefed(): boolean {
    return this.#replica.briefed
  }

  wasBriefed(): void {
    this.#host().attach(this.#replica.wasBriefed())
  }

  /** The lane as a forwarder sees it. */
  lane(lane: Lane): LaneSource {
    return this.#readers[lane]
  }

  blocks(lane: Lane, from: Offset, maxBytes: Bytes): Promise<BlockRun> {
    return this.#readers[lane].blocks(from, maxBytes)
  }

  /** One past its newest record, durable or not, and the running checksum there. */
  end(lane: Lane): { next: Offset; lineage: number | null } {
    const { next, lineage } = this.#replica.lanes[lane]
    return { next, lineage: this.patched ? null : lineage }
  }

  /** Whether a reading is declared missing. */
  isMissing(offset: Offset): boolean {
    return this.#replica.lanes.readings.gaps.has(offset)
  }

  /** See `Replica.accept`. */
  accept(lane: Lane, value: Buffer): Block | null {
    const taken = this.#replica.accept(lane, value)
    if (taken) this.#host().attach(taken.ops)
    return taken?.block ?? null
  }

  /** What the peer has declared missing. */
  declare(lane: Lane, gap: Gap): void {
    this.#host().attach(this.#replica.declare(lane, gap))
  }

  /** See `Replica.fill`. */
  fill(lane: Lane, records: ReturnedRecords, now: number): readonly { offset: Offset; line: string }[] {
    const { ops, fresh } = this.#replica.fill(lane, records, now)
    this.#host().attach(ops)
    return fresh
  }

  /** The peer says how far the centre has its lane, and from where on it keeps it: before that, it goes here too. */
  async follow(lane: Lane, forwarded: { next: Offset; sequence: StreamSequence }, tail: Offset): Promise<void> {
    const state = this.#replica.lanes[lane]
    // Of what has not come here yet, nothing is noted: after a restart the lane would go on behind it, and never ask for it.
    const { next, sequence } = state.cursor
    const isFurther = forwarded.next > next || (forwarded.next === next && forwarded.sequence > sequence)
    if (isFurther && forwarded.next <= state.durable) state.moveCursor({ ...state.cursor, ...forwarded })
    const needed = lane === 'readings' ? this.#replica.hearFrom : Number.POSITIVE_INFINITY
    const upTo = Math.min(tail, state.cursor.next, state.durable, needed)
    const newest = state.segments.all.findLast(({ first }) => first <= upTo)
    if (!newest || newest.first <= state.tail) return
    const from = state.tail
    await this.#host().commit(this.#replica.ops(state.trim(newest.first)))
    const space = this.#replica.space(this.#host().store)
    for (const kind of ['b', 'p', 'g'] as const) await space.clear(offsetRange(kind, lane, from, newest.first))
  }

  get #replica(): Replica {
    const found = this.#host().replicas.get(this.origin)
    if (!found) throw new Error(`there is no replica of ${this.origin} any more`)
    return found
  }
}

/** Origins are written `gateway/epoch`; names of gateways may hold a slash, epochs do not. */
export const gatewayOf = (origin: string): string => origin.slice(0, origin.lastIndexOf('/'))
export const epochOf = (origin: string): string => origin.slice(origin.lastIndexOf('/') + 1)
