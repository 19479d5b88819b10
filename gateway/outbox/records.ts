import type { Bytes, Lane, Offset } from '../../sync/contract/index.ts'
import type { Cursor, Gap } from '../../sync/forward/index.ts'
import type { WriteOp } from '../ports/index.ts'
import type { GapChange } from './gaps.ts'
import { cursorKey, headKey, namedKey, offsetKey } from './keys.ts'
import { encodeNote } from './note.ts'
import type { Segment } from './segments.ts'

/** Where a lane ends: also told apart from its last block, so that the loss of that block is noticed. */
export interface Head {
  next: Offset
  bytes: Bytes
  lineage: number
}

export interface Trimmed {
  missing: number
  upTo: Offset
}

/** The writes that store what is known of a lane beside its blocks. */

export const headOp = (lane: Lane, head: Head): WriteOp => ({
  type: 'put',
  key: headKey(lane),
  value: encodeNote(head),
})

export const cursorOp = (lane: Lane, cursor: Cursor): WriteOp => ({
  type: 'put',
  key: cursorKey(lane),
  value: encodeNote(cursor),
})

export const trimmedKey = (lane: Lane): Buffer => namedKey('m', `trimmed-${lane}`)

export const trimmedOp = (lane: Lane, trimmed: Trimmed): WriteOp => ({
  type: 'put',
  key: trimmedKey(lane),
  value: encodeNote(trimmed),
})

export const segmentOp = (lane: Lane, segment: Segment): WriteOp => ({
  type: 'put',
  key: offsetKey('p', lane, segment.first),
  value: encodeNote(segment),
})

export const gapOps = (lane: Lane, { put, gone }: GapChange): WriteOp[] => [
  ...gone.map((from): WriteOp => ({ type: 'del', key: offsetKey('g', lane, from) })),
  ...put.map((gap: Gap): WriteOp => ({ type: 'put', key: offsetKey('g', lane, gap.from), value: encodeNote(gap) })),
]

/** Moves a damaged block out of the lane, bytes and all. */
export const setAsideOps = (lane: Lane, first: Offset, value: Buffer): WriteOp[] => [
  { type: 'del', key: offsetKey('b', lane, first) },
  { type: 'put', key: offsetKey('x', lane, first), value },
]
