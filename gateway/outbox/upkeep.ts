import type { Bytes, Lane, Millis, Offset } from '../../sync/contract/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import { type Eviction, laneBytes, planEviction, planExpiry, planTrim, type Retention, survives } from './bounds.ts'
import { offsetKey, offsetOf, offsetRange } from './keys.ts'
import { type LaneState, segmentOp, trimmedKey } from './lane.ts'
import { gapOp } from './load.ts'

export interface BoundSettings {
  maxBytes: Bytes
  maxAge: Millis
  whenFull: 'reject' | 'evict'
  retainAcked: Retention
}

/** What upkeep needs from the outbox around it. */
export interface UpkeepHost {
  readonly lanes: Readonly<Record<Lane, LaneState>>
  readonly store: KeyValueStore
  replayFrom(lane: Lane): Offset
  /** Writes in the next commit; resolves when it is durable. */
  commit(ops: readonly WriteOp[]): Promise<void>
  evicted(lane: Lane, records: number): void
}

/** Space is given back to the file system after this much was trimmed. */
const COMPACT_AFTER: Bytes = 64 * 1024 * 1024

/** Keeps the outbox within its bounds: trims the acknowledged tail, then gives up the oldest telemetry if it may. */
export class Upkeep {
  readonly #settings: BoundSettings
  #trimmedBytes = 0

  constructor(settings: BoundSettings) {
    this.#settings = settings
  }

  /** One round. `pressure`: the disk itself is nearly full, so nothing acknowledged is retained. */
  async run(host: UpkeepHost, now: Millis, pressure: boolean): Promise<void> {
    const keep = this.#settings.retainAcked
    const over = this.storedBytes(host) - this.#settings.maxBytes
    const lean = pressure || over > 0
    for (const lane of Object.values(host.lanes))
      await this.#trim(
        host,
        lane,
        lean ? { bytes: Math.max(0, lean && !pressure ? keep.bytes - over : 0), age: keep.age } : keep,
        now,
        pressure,
      )
    if (this.#settings.maxAge !== Number.POSITIVE_INFINITY) await this.#expire(host, now)
    if (this.#settings.whenFull === 'evict') await this.#evict(host, pressure)
  }

  /** Bytes of all blocks, forwarded or not. */
  storedBytes(host: Pick<UpkeepHost, 'lanes'>): Bytes {
    return Object.values(host.lanes).reduce((sum, lane) => sum + laneBytes(lane.extent(0)), 0)
  }

  async #trim(host: UpkeepHost, lane: LaneState, retention: Retention, now: Millis, compact: boolean): Promise<void> {
    const extent = lane.extent(host.replayFrom(lane.lane))
    const upTo = planTrim(extent, retention, now)
    if (upTo === null) return
    const before = laneBytes(extent)
    const missing = lane.gaps.within(lane.trimmed.upTo, upTo - 1).reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
    lane.trimmed = { missing: lane.trimmed.missing + missing, upTo }
    await host.commit([{ type: 'put', key: trimmedKey(lane.lane), value: Buffer.from(JSON.stringify(lane.trimmed)) }])
    lane.tail = upTo
    lane.segments.dropBefore(upTo)
    lane.gaps.forgetBefore(upTo)
    for (const kind of ['b', 'p', 'g'] as const) await host.store.clear(offsetRange(kind, lane.lane, 0, upTo))
    this.#trimmedBytes += before - laneBytes(lane.extent(0))
    if (compact || this.#trimmedBytes > COMPACT_AFTER) {
      this.#trimmedBytes = 0
      await host.store.compact(offsetRange('b', lane.lane, 0, upTo))
    }
  }

  async #expire(host: UpkeepHost, now: Millis): Promise<void> {
    const lane = host.lanes.readings
    for (;;) {
      const plan = planExpiry(lane.extent(host.replayFrom('readings')), this.#settings.maxAge, now)
      if (!plan) return
      await this.#giveUp(host, lane, plan)
    }
  }

  async #evict(host: UpkeepHost, pressure: boolean): Promise<void> {
    for (let once = pressure; once || this.storedBytes(host) > this.#settings.maxBytes; once = false) {
      // Events are never given up; of the others, the lane that holds more pays.
      const { readings, deadletters } = host.lanes
      const lane = deadletters.pendingBytes > readings.pendingBytes ? deadletters : readings
      const plan = planEviction(lane.extent(host.replayFrom(lane.lane)))
      if (!plan) return
      await this.#giveUp(host, lane, plan)
    }
  }

  async #giveUp(host: UpkeepHost, lane: LaneState, plan: Eviction): Promise<void> {
    const ops: WriteOp[] = []
    const missingBefore = lane.gaps.missingFrom(plan.from)
    if (plan.kind === 'drop') {
      for (const gap of uncovered(lane, plan.from, plan.to)) ops.push(gapOp(lane.lane, lane.gaps.add(gap)))
      const { kept, gone } = lane.segments.giveUp(plan.from)
      if (kept) ops.push(segmentOp(lane.lane, kept))
      if (gone) ops.push({ type: 'del', key: offsetKey('p', lane.lane, gone.first) })
    } else {
      for (const [from, to] of await this.#victims(host, lane, plan))
        for (const gap of uncovered(lane, from, to)) ops.push(gapOp(lane.lane, lane.gaps.add(gap)))
      const segment = lane.segments.thinned(plan.from, plan.level)
      if (segment) ops.push(segmentOp(lane.lane, segment))
    }
    const missing = lane.gaps.missingFrom(plan.from) - missingBefore
    // The hole is declared before anything goes: a crash in between leaves blocks that nobody reads, never a silent hole.
    await host.commit(ops)
    if (plan.kind === 'drop') {
      await host.store.clear(offsetRange('b', lane.lane, plan.from, plan.to))
    } else {
      for (const gap of lane.gaps.within(plan.from, plan.to - 1))
        await host.store.clear(offsetRange('b', lane.lane, gap.from, gap.to + 1))
    }
    await host.store.compact(offsetRange('b', lane.lane, plan.from, plan.to))
    host.evicted(lane.lane, missing)
  }

  /** Ranges [from, to) of the blocks that thinning takes. */
  async #victims(
    host: UpkeepHost,
    lane: LaneState,
    plan: { from: Offset; to: Offset; level: number },
  ): Promise<[Offset, Offset][]> {
    const firsts: Offset[] = []
    for await (const key of host.store.keys(offsetRange('b', lane.lane, plan.from, plan.to))) firsts.push(offsetOf(key))
    return firsts.flatMap((first, i) => {
      return survives(first, plan.level) ? [] : [[first, firsts[i + 1] ?? plan.to] as [Offset, Offset]]
    })
  }
}

/** The parts of [from, to) that are not a declared hole yet. */
function uncovered(lane: LaneState, from: Offset, to: Offset): { from: Offset; to: Offset; reason: 'evicted' }[] {
  const parts: { from: Offset; to: Offset; reason: 'evicted' }[] = []
  let at = from
  for (const gap of lane.gaps.within(from, to - 1)) {
    if (gap.from > at) parts.push({ from: at, to: gap.from - 1, reason: 'evicted' })
    at = gap.to + 1
  }
  if (at < to) parts.push({ from: at, to: to - 1, reason: 'evicted' })
  return parts
}
