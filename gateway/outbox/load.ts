import type { Lane, Millis, Offset } from '../../sync/contract/index.ts'
import type { Cursor, Gap } from '../../sync/forward/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import { type BlockHeader, soundBlock, soundHeader } from './block.ts'
import { cursorKey, headKey, offsetOf, offsetRange } from './keys.ts'
import { type BlockLimits, FRESH_CURSOR, LaneState } from './lane.ts'
import { decodeNote } from './note.ts'
import { type Head, setAsideOps, type Trimmed, trimmedKey } from './records.ts'
import type { Segment } from './segments.ts'

/** Offsets to leave out when neither a damaged last block nor anything else says how many records it had; no block holds more. */
const UNKNOWN_COUNT = 65_536

/** A lane as it was found on disk, and what to write to mend it. */
export interface LoadedLane {
  state: LaneState
  mend: WriteOp[]
  damaged: Gap[]
  /** When its newest block was committed; null when there is none. */
  lastCommit: Millis | null
}

/** Reads the few entries that say where a lane stands; its cost does not depend on the backlog. */
export async function loadLane(store: KeyValueStore, lane: Lane, limits: BlockLimits): Promise<LoadedLane> {
  const state = new LaneState(lane, limits)
  const trimmed = decodeNote<Trimmed>(await store.get(trimmedKey(lane)))
  if (trimmed) state.trimmed = trimmed
  // Every scan begins here: below lie deleted keys, which an LSM tree would step over one by one.
  const { upTo } = state.trimmed
  state.cursor = decodeNote<Cursor>(await store.get(cursorKey(lane))) ?? { ...FRESH_CURSOR, next: upTo }
  for await (const [, value] of store.entries(offsetRange('g', lane, upTo))) {
    const gap = decodeNote<Gap>(value)
    if (gap) state.gaps.declare(gap)
  }
  for await (const [, value] of store.entries(offsetRange('p', lane, upTo))) {
    const segment = decodeNote<Segment>(value)
    if (segment) state.segments.push(segment)
  }

  const noted = decodeNote<Head>(await store.get(headKey(lane)))
  const { last, damaged } = await newestBlocks(store, lane, upTo)
  const end = last ? last.first + last.count : upTo
  const knownEnd = Math.max(end, noted?.next ?? 0, lastEnd(damaged, noted))
  const mend: WriteOp[] = damaged.flatMap(({ first, value }) => setAsideOps(lane, first, value))
  const fresh: Gap[] = []
  if (knownEnd > end) {
    await assertGone(store, lane, end, damaged)
    // What the centre has is not missing, even if it could not be sent again.
    const from = Math.max(end, state.cursor.next)
    const declared = state.declare({ from, to: knownEnd - 1, reason: 'damaged' })
    mend.push(...declared.ops)
    fresh.push(...declared.fresh)
  }
  const current = noted && noted.next >= end ? noted : null
  state.restore({
    next: Math.max(knownEnd, state.cursor.next, state.gaps.end),
    bytes: Math.max(
      current?.bytes ?? 0,
      last ? last.bytesBefore + last.bodyBytes : 0,
      state.segments.newest?.bytesBefore ?? 0,
    ),
    lineage: current?.lineage ?? last?.lineage ?? 0,
  })
  if (last) await coverOldest(store, state)
  return { state, mend, damaged: fresh, lastCommit: last?.committedAt ?? null }
}

interface DamagedBlock {
  first: Offset
  value: Buffer
}

/** The newest block that is whole, and the damaged ones behind it, newest first. */
async function newestBlocks(
  store: KeyValueStore,
  lane: Lane,
  upTo: Offset,
): Promise<{ last: BlockHeader | null; damaged: DamagedBlock[] }> {
  const damaged: DamagedBlock[] = []
  for await (const [key, value] of store.entries(offsetRange('b', lane, upTo), { reverse: true })) {
    const first = offsetOf(key)
    const block = soundBlock(first, value)
    if (block) return { last: block, damaged }
    damaged.push({ first, value })
  }
  return { last: null, damaged }
}

/** One past the records of the newest damaged block, as far as it can be told; 0 when there is none. */
function lastEnd([newest]: readonly DamagedBlock[], noted: Head | null): Offset {
  if (!newest) return 0
  if (noted && noted.next > newest.first) return noted.next
  return newest.first + (soundHeader(newest.first, newest.value)?.count ?? UNKNOWN_COUNT)
}

/**
 * The store says that records are missing at the end. Looks once more, to the very end of the range, so that a failure of
 * the disk which may pass is thrown instead of being taken for a loss.
 */
async function assertGone(
  store: KeyValueStore,
  lane: Lane,
  from: Offset,
  damaged: readonly DamagedBlock[],
): Promise<void> {
  for await (const key of store.keys(offsetRange('b', lane, from))) {
    if (!damaged.some(({ first }) => first === offsetOf(key)))
      throw new Error(`block ${offsetOf(key)} of ${lane} can be read only now and then`)
  }
}

/** Segments describe blocks; blocks whose segment got lost (a repaired store) count as one. */
async function coverOldest(store: KeyValueStore, state: LaneState): Promise<void> {
  const { lane, segments, tail } = state
  if (segments.oldest && segments.oldest.first <= tail) return
  const until = segments.oldest?.first
  for await (const [key, value] of store.entries(offsetRange('b', lane, tail, until))) {
    const first = offsetOf(key)
    const header = soundHeader(first, value)
    if (!header) continue
    segments.unshift({ first, bytesBefore: header.bytesBefore, committedAt: header.committedAt, level: 0 })
    return
  }
}

/** The key of the block that holds `offset` (or would): the newest that does not begin behind it. */
export async function blockBefore(store: KeyValueStore, lane: Lane, offset: Offset): Promise<Offset | null> {
  for await (const key of store.keys(offsetRange('b', lane, 0, offset + 1), { reverse: true })) return offsetOf(key)
  return null
}
