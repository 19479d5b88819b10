import type { Bytes, Millis, Offset } from '../../sync/contract/index.ts'
import { CLOCK_NEVER_SET } from '../clock/index.ts'
import { GIVEN_UP, type Segment, storedBytes } from './segments.ts'

/** What the outbox holds of one lane, as far as its bounds are concerned. */
export interface LaneExtent {
  segments: readonly Segment[]
  head: { offset: Offset; bytes: Bytes }
  /** Next offset to forward. */
  cursor: Offset
  /** At or after the cursor: what is before it may be on its way to the centre. */
  lent: Offset
  /** Blocks from here on are needed to rebuild the state machine. */
  replayFrom: Offset
}

export interface Retention {
  bytes: Bytes
  age: Millis
}

/** Most times that a segment is thinned before it may be dropped. */
export const MAX_LEVEL = 3

/** Bytes that the lane's blocks hold now. */
export function laneBytes(extent: LaneExtent): Bytes {
  return extent.segments.reduce((sum, segment, i) => sum + storedBytes(segment, endOf(extent, i).bytes), 0)
}

/** About how many of those are not forwarded yet; within one segment by the share of its records. */
export function pendingBytes(extent: LaneExtent): Bytes {
  return extent.segments.reduce((sum, segment, i) => {
    const end = endOf(extent, i)
    if (end.offset <= extent.cursor) return sum
    const ahead = end.offset - Math.max(segment.first, extent.cursor)
    return sum + (storedBytes(segment, end.bytes) * ahead) / (end.offset - segment.first)
  }, 0)
}

/** Bytes of the acknowledged tail that could be trimmed. */
export function trimmableBytes(extent: LaneExtent): Bytes {
  return extent.segments.slice(0, trimmable(extent)).reduce((sum, segment, i) => {
    return sum + storedBytes(segment, endOf(extent, i).bytes)
  }, 0)
}

/**
 * Where the acknowledged tail may be cut: every segment before the returned offset is forwarded, not needed for
 * replay, and beyond what `retention` asks to keep. Null when there is nothing to cut.
 */
export function planTrim(extent: LaneExtent, retention: Retention, now: Millis): Offset | null {
  let retained = trimmableBytes(extent)
  let cut: Offset | null = null
  for (const [i, segment] of extent.segments.slice(0, trimmable(extent)).entries()) {
    const end = endOf(extent, i)
    if (retained <= retention.bytes && now - end.committedAt <= retention.age) break
    retained -= storedBytes(segment, end.bytes)
    cut = end.offset
  }
  return cut
}

/** How many of the oldest segments are forwarded and not needed for replay; never the one that is still growing. */
function trimmable(extent: LaneExtent): number {
  const free = Math.min(extent.cursor, extent.replayFrom)
  let count = 0
  while (count < extent.segments.length - 1 && endOf(extent, count).offset <= free) count++
  return count
}

/** One step of eviction: delete about half of a segment's blocks, or all of them. */
export type Eviction =
  | { kind: 'thin'; from: Offset; to: Offset; level: number }
  | { kind: 'drop'; from: Offset; to: Offset }

/**
 * The next thing to give up when the outbox is full: the oldest half of the backlog is thinned to 1/2, its oldest
 * quarter to 1/4, its oldest eighth to 1/8; when all that is done, the oldest segment goes. So an outage that outgrows
 * the disk keeps a picture of its whole length, finer towards its end. Null when nothing may be given up.
 */
export function planEviction(extent: LaneExtent): Eviction | null {
  const candidates: { segment: Segment; end: Offset; bytes: Bytes }[] = []
  for (let i = 0; i < extent.segments.length - 1; i++) {
    const segment = extent.segments[i]
    const end = endOf(extent, i)
    if (segment && segment.level < GIVEN_UP && segment.first >= extent.lent && end.offset <= extent.replayFrom)
      candidates.push({ segment, end: end.offset, bytes: end.bytes - segment.bytesBefore })
  }
  const total = candidates.reduce((sum, { bytes }) => sum + bytes, 0)
  for (let level = 1; level <= MAX_LEVEL; level++) {
    let passed = 0
    for (const { segment, end, bytes } of candidates) {
      passed += bytes
      if (passed > total / 2 ** level) break
      if (segment.level < level) return { kind: 'thin', from: segment.first, to: end, level }
    }
  }
  const oldest = candidates[0]
  return oldest ? { kind: 'drop', from: oldest.segment.first, to: oldest.end } : null
}

/**
 * The oldest segment of the backlog if all of it is older than `maxAge`; null when there is none. What was committed before
 * the clock was set (a small computer starts in 1970, and hears the time when the network is back) has no age.
 */
export function planExpiry(extent: LaneExtent, maxAge: Millis, now: Millis): Eviction | null {
  const at = extent.segments.findIndex((segment) => segment.first >= extent.lent && segment.level < GIVEN_UP)
  const segment = extent.segments[at]
  if (!segment || at === extent.segments.length - 1) return null
  const end = endOf(extent, at)
  if (end.offset > extent.replayFrom || now - end.committedAt <= maxAge) return null
  if (end.committedAt < CLOCK_NEVER_SET) return null
  return { kind: 'drop', from: segment.first, to: end.offset }
}

/** Records that are kept or given up together, so that a thinned lane has few, long holes. */
const RUN = 256

/**
 * Whether a block survives thinning to `level`. A hash of its place, so that devices which report in turns are hit
 * alike; the survivors of a level are a subset of those of the level before.
 */
export function survives(first: Offset, level: number): boolean {
  let hash = Math.imul(Math.floor(first / RUN) % 2 ** 32, 0x9e3779b1)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  return (hash & (2 ** level - 1)) === 0
}

function endOf(extent: LaneExtent, index: number): { offset: Offset; bytes: Bytes; committedAt: Millis } {
  const next = extent.segments[index + 1]
  return next
    ? { offset: next.first, bytes: next.bytesBefore, committedAt: next.committedAt }
    : { ...extent.head, committedAt: Number.POSITIVE_INFINITY }
}
