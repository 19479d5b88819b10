import type { Bytes, Lane, Millis, Offset } from '../../sync/contract/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import {
  type Eviction,
  laneBytes,
  planEviction,
  planExpiry,
  planTrim,
  type Retention,
  survives,
  trimmableBytes,
} from './bounds.ts'
import { offsetKey, offsetOf, offsetRange } from './keys.ts'
import type { LaneState } from './lane.ts'
import type { Lanes } from './opening.ts'
import { segmentOp } from './records.ts'

export interface BoundSettings {
  maxBytes: Bytes
  maxAge: Millis
  whenFull: 'reject' | 'evict'
  retainAcked: Retention
}

/** What upkeep needs from the outbox around it. */
export interface UpkeepHost {
  readonly lanes: Lanes
  readonly store: KeyValueStore
  readonly replayFrom: Offset
  /** Writes in the next commit; resolves when it is durable. */
  commit(ops: readonly WriteOp[]): Promise<void>
  /** Moves `replayFrom` on; false when there is nothing left to store. */
  snapshotSome(): Promise<boolean>
  evicted(lane: Lane, records: number): void
}

/** Space is given back to the file system after this much was trimmed. */
const COMPACT_AFTER: Bytes = 64 * 1024 * 1024

/** The acknowledged tail gives way when the outbox is fuller than this share of its bound. */
const LEAN_FROM = 0.9

/** An eviction ends at this share of the bound. */
const EVICT_TO = 0.97

/** Bytes of all blocks, forwarded or not. */
export function storedBytes(lanes: Lanes): Bytes {
  return Object.values(lanes).reduce((sum, lane) => sum + laneBytes(lane.extent(0)), 0)
}

/** Keeps the outbox within its bounds: trims the acknowledged tail, then gives up the oldest telemetry if it may. */
export class Upkeep {
  readonly #settings: BoundSettings
  #trimmedBytes = 0
  /** Entries before these offsets are deleted already: deleting from there on spares a scan over what is gone. */
  readonly #clearedTo = new WeakMap<LaneState, Offset>()

  constructor(settings: BoundSettings) {
    this.#settings = settings
  }

  /** One round. `pressure`: the disk itself is nearly full, so nothing acknowledged is retained. */
  async run(host: UpkeepHost, now: Millis, pressure: boolean): Promise<void> {
    const { maxBytes, maxAge, retainAcked, whenFull } = this.#settings
    const excess = storedBytes(host.lanes) - maxBytes * LEAN_FROM
    // What replay needs can be neither trimmed nor given up; at a trickle, or when full, commits hardly move that on.
    if (pressure || excess > 0 || this.#replayHoldsUp(host, now)) await host.snapshotSome()
    const heldBefore = storedBytes(host.lanes)
    let need = pressure ? Number.POSITIVE_INFINITY : Math.max(0, excess)
    for (const lane of Object.values(host.lanes)) {
      const spare = trimmableBytes(lane.extent(replayFrom(host, lane)))
      const bytes = Math.min(retainAcked.bytes, Math.max(0, spare - need))
      need -= await this.#trim(host, lane, { bytes, age: retainAcked.age }, now, pressure)
    }
    if (maxAge !== Number.POSITIVE_INFINITY) await this.#expire(host, now)
    if (whenFull === 'evict') await this.#evict(host, pressure)
    // LevelDB deletes files at the end of a compaction, except those that a reader had open then. Without another one they
    // would stay, and the disk full, for ever.
    if (pressure && storedBytes(host.lanes) >= heldBefore)
      for (const lane of Object.values(host.lanes)) await host.store.compact(offsetRange('b', lane.lane, 0, lane.tail))
  }

  /** Whether replay needs what would otherwise be trimmed, or is too old. */
  #replayHoldsUp(host: UpkeepHost, now: Millis): boolean {
    const { retainAcked, maxAge } = this.#settings
    const plans = [Number.MAX_SAFE_INTEGER, host.replayFrom].map((from) => {
      const extent = host.lanes.readings.extent(from)
      return { trim: planTrim(extent, retainAcked, now), expire: planExpiry(extent, maxAge, now)?.to }
    })
    return plans[0]?.trim !== plans[1]?.trim || plans[0]?.expire !== plans[1]?.expire
  }

  /** @returns bytes that became free */
  async #trim(host: UpkeepHost, lane: LaneState, retention: Retention, now: Millis, compact: boolean): Promise<Bytes> {
    const extent = lane.extent(replayFrom(host, lane))
    const upTo = planTrim(extent, retention, now)
    if (upTo === null) return 0
    const before = laneBytes(extent)
    await host.commit(lane.trim(upTo))
    const from = this.#clearedTo.get(lane) ?? 0
    for (const kind of ['b', 'p', 'g'] as const) await host.store.clear(offsetRange(kind, lane.lane, from, upTo))
    this.#clearedTo.set(lane, upTo)
    const freed = before - laneBytes(lane.extent(0))
    this.#trimmedBytes += freed
    if (compact || this.#trimmedBytes > COMPACT_AFTER) {
      this.#trimmedBytes = 0
      await host.store.compact(offsetRange('b', lane.lane, 0, upTo))
    }
    return freed
  }

  async #expire(host: UpkeepHost, now: Millis): Promise<void> {
    const lane = host.lanes.readings
    for (;;) {
      const plan = planExpiry(lane.extent(replayFrom(host, lane)), this.#settings.maxAge, now)
      if (!plan) return
      await this.#giveUp(host, lane, plan)
    }
  }

  async #evict(host: UpkeepHost, pressure: boolean): Promise<void> {
    const { maxBytes } = this.#settings
    // Down to a little below the bound, or the next record would be beyond it again.
    const target = storedBytes(host.lanes) > maxBytes ? maxBytes * EVICT_TO : Number.POSITIVE_INFINITY
    for (let once = pressure; once || storedBytes(host.lanes) > target; once = false) {
      // Events are never given up; of the others, the lane that holds more pays first.
      const { readings, deadletters } = host.lanes
      const both = deadletters.pendingBytes > readings.pendingBytes ? [deadletters, readings] : [readings, deadletters]
      const plans = both.map((lane) => ({ lane, plan: planEviction(lane.extent(replayFrom(host, lane))) }))
      const found = plans.find(({ plan }) => plan !== null)
      if (!found?.plan) return
      await this.#giveUp(host, found.lane, found.plan)
    }
  }

  async #giveUp(host: UpkeepHost, lane: LaneState, plan: Eviction): Promise<void> {
    const found = plan.kind === 'drop' ? [[plan.from, plan.to] as const] : await this.#victims(host, lane, plan)
    // While the disk was asked, some of it may have been lent.
    const holes = plan.kind === 'drop' ? found : found.filter(([from]) => from >= lane.lent)
    const ops: WriteOp[] = []
    let records = 0
    for (const [from, to] of holes) {
      const declared = lane.declare({ from, to: to - 1, reason: 'evicted' })
      ops.push(...declared.ops)
      records += declared.fresh.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
    }
    ops.push(...(plan.kind === 'drop' ? dropSegment(lane, plan.from) : thinSegment(lane, plan.from, plan.level)))
    // The hole is declared before anything goes: a crash in between leaves blocks that nobody reads, never a silent hole.
    await host.commit(ops)
    for (const [from, to] of holes) await host.store.clear(offsetRange('b', lane.lane, from, to))
    await host.store.compact(offsetRange('b', lane.lane, plan.from, plan.to))
    if (records > 0) host.evicted(lane.lane, records)
  }

  /** Ranges [from, to) of the blocks that thinning takes. */
  async #victims(
    host: UpkeepHost,
    lane: LaneState,
    plan: { from: Offset; to: Offset; level: number },
  ): Promise<(readonly [from: Offset, to: Offset])[]> {
    const firsts: Offset[] = []
    for await (const key of host.store.keys(offsetRange('b', lane.lane, plan.from, plan.to))) firsts.push(offsetOf(key))
    return firsts.flatMap((first, i) =>
      survives(first, plan.level) ? [] : [[first, firsts[i + 1] ?? plan.to] as const],
    )
  }
}

const replayFrom = (host: UpkeepHost, { lane }: LaneState): Offset =>
  lane === 'readings' ? host.replayFrom : Number.MAX_SAFE_INTEGER

function dropSegment(lane: LaneState, first: Offset): WriteOp[] {
  const { kept, gone } = lane.segments.giveUp(first)
  const ops: WriteOp[] = kept ? [segmentOp(lane.lane, kept)] : []
  if (gone) ops.push({ type: 'del', key: offsetKey('p', lane.lane, gone.first) })
  return ops
}

function thinSegment(lane: LaneState, first: Offset, level: number): WriteOp[] {
  const segment = lane.segments.thinned(first, level)
  return segment ? [segmentOp(lane.lane, segment)] : []
}
