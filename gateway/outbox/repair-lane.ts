import type { KeyValueStore, WriteOp } from '../ports/index.ts'
import type { Finding } from './inspect-blocks.ts'
import { offsetKey } from './keys.ts'
import type { LaneState } from './lane.ts'
import { cursorOp, headOp, setAsideOps } from './records.ts'

/** What mends one finding of a lane, and how that is said to people. */
export interface LaneRepair {
  ops: WriteOp[]
  done: string[]
}

/**
 * Sets a damaged block aside and declares what is missing, as a running gateway does when it comes to it. What the
 * centre has already is not missing.
 */
export async function repairLane(
  store: KeyValueStore,
  state: LaneState,
  finding: Extract<Finding, { kind: 'damaged' | 'missing' }>,
): Promise<LaneRepair> {
  const { lane, cursor } = state
  const { kind, from, to } = finding
  const ops: WriteOp[] = []
  const done: string[] = []
  if (kind === 'damaged') {
    const value = await store.get(offsetKey('b', lane, from))
    if (value) ops.push(...setAsideOps(lane, from, value))
    done.push(`set the damaged block of ${lane} ${from}-${to} aside (${finding.detail})`)
  }
  const pendingFrom = Math.max(from, cursor.next)
  if (pendingFrom <= to) {
    const declared = state.declare({ from: pendingFrom, to, reason: 'damaged' })
    ops.push(...declared.ops)
    for (const gap of declared.fresh) done.push(`declared ${lane} ${gap.from}-${gap.to} missing`)
  }
  return { ops, done }
}

/** Where the lane stands, written anew: its notes may be among what was damaged. */
export function placeOps({ lane, durable, bytes, lineage, cursor }: LaneState): WriteOp[] {
  return [headOp(lane, { next: durable, bytes, lineage }), cursorOp(lane, cursor)]
}
