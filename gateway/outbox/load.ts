import type { Lane, Offset } from '../../sync/contract/index.ts'
import type { Cursor, Gap } from '../../sync/forward/index.ts'
import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import { type BlockHeader, decodeBlock, decodeBlockHeader } from './block.ts'
import { cursorKey, offsetKey, offsetOf, offsetRange } from './keys.ts'
import { type BlockLimits, LaneState, type Trimmed, trimmedKey } from './lane.ts'
import type { Segment } from './segments.ts'

/** Offsets to leave out when a damaged last block cannot even say how many records it had; no block holds more. */
const UNKNOWN_COUNT = 65_536

/** A lane as it was found on disk, and what to write to mend it. */
export interface LoadedLane {
  state: LaneState
  mend: WriteOp[]
  damaged: Gap[]
}

/** Reads the few entries that say where a lane stands; its cost does not depend on the backlog. */
export async function loadLane(store: KeyValueStore, lane: Lane, limits: BlockLimits): Promise<LoadedLane> {
  const state = new LaneState(lane, limits)
  const mend: WriteOp[] = []
  const damaged: Gap[] = []

  const cursor = await store.get(cursorKey(lane))
  if (cursor) state.cursor = JSON.parse(cursor.toString('utf8')) as Cursor
  const trimmed = await store.get(trimmedKey(lane))
  if (trimmed) state.trimmed = JSON.parse(trimmed.toString('utf8')) as Trimmed
  for await (const [, value] of store.entries(offsetRange('g', lane, 0)))
    state.gaps.add(JSON.parse(value.toString('utf8')) as Gap)
  for await (const [, value] of store.entries(offsetRange('p', lane, 0)))
    state.segments.push(JSON.parse(value.toString('utf8')) as Segment)

  const last = await lastSound(store, lane, (gap, ops) => {
    damaged.push(state.gaps.add(gap))
    mend.push(...ops)
  })
  let tail: Offset | null = null
  for await (const key of store.keys(offsetRange('b', lane, 0))) {
    tail = offsetOf(key)
    break
  }
  const blocksEnd = last ? last.first + last.count : 0
  const head = Math.max(blocksEnd, state.cursor.next, state.gaps.end)
  state.restore(head, {
    bytes: last ? last.bytesBefore + last.bodyBytes : 0,
    lineage: last?.lineage ?? 0,
    tail: tail ?? head,
  })
  // Segments describe blocks; without them (a repaired store) all that is there counts as one.
  if (state.segments.oldest === undefined && last && tail !== null)
    state.segments.push({ first: tail, bytesBefore: 0, committedAt: last.committedAt, level: 0 })
  return { state, mend, damaged }
}

/** The newest block that is whole; damaged ones behind it are set aside and become a gap. */
async function lastSound(
  store: KeyValueStore,
  lane: Lane,
  setAside: (gap: Gap, ops: WriteOp[]) => void,
): Promise<BlockHeader | null> {
  for await (const [key, value] of store.entries(offsetRange('b', lane, 0), { reverse: true })) {
    try {
      return decodeBlock(value)
    } catch {
      // Not swallowed: the block becomes a declared gap, which the caller reports.
      const from = offsetOf(key)
      const count = countOf(value) ?? UNKNOWN_COUNT
      const gap: Gap = { from, to: from + count - 1, reason: 'damaged' }
      setAside(gap, setAsideOps(lane, from, value, gap))
    }
  }
  return null
}

function countOf(value: Buffer): number | null {
  try {
    return decodeBlockHeader(value).count
  } catch {
    return null
  }
}

/** Moves a damaged block out of the lane, bytes and all, and declares the hole. */
export function setAsideOps(lane: Lane, first: Offset, value: Buffer, gap: Gap): WriteOp[] {
  return [
    { type: 'del', key: offsetKey('b', lane, first) },
    { type: 'put', key: offsetKey('x', lane, first), value },
    gapOp(lane, gap),
  ]
}

export function gapOp(lane: Lane, gap: Gap): WriteOp {
  return { type: 'put', key: offsetKey('g', lane, gap.from), value: Buffer.from(JSON.stringify(gap)) }
}
