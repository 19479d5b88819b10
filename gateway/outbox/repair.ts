import { join } from 'node:path'
import { LANES, type Millis, OperatorError } from '../../sync/contract/index.ts'
import type { Disk, KeyValueStore, WriteOp } from '../ports/index.ts'
import { identityOp, layout, recordIdentity } from './identity.ts'
import { type FoundOutbox, withOutbox } from './inspect.ts'
import { type Progress, type Verification, walk } from './inspect-blocks.ts'
import { EVERYTHING } from './keys.ts'
import { placeOps, repairLane } from './repair-lane.ts'

/** What a repair did, one sentence each, in order; none when nothing was wrong. */
export interface RepairReport {
  actions: readonly string[]
  /** What is still not as it was written: sound blocks that contradict each other are for a person to judge. */
  remaining: Verification
}

export interface RepairOptions {
  now: Millis
  progress: Progress
  /** Called with each action as soon as it is done. */
  did?(action: string): void
}

/**
 * Makes an outbox work again that no gateway has open, with everything that can still be read:
 *
 *  1. the store itself, if it does not open (or cannot be written): LevelDB's own repair, after a copy of its index;
 *  2. the marker file beside it;
 *  3. damaged blocks are set aside, and what is missing is declared, so that the centre learns of it.
 *
 * No data is deleted: what LevelDB's repair replaces is in `db/lost`, damaged blocks are kept in the store.
 *
 * @throws OperatorError `STORE_LOCKED`, `STORE_MISSING`, `OUTBOX_ABSENT`, `OUTBOX_EMPTIED`, `OUTBOX_IDENTITY_LOST`
 */
export async function repairOutbox(disk: Disk, dir: string, options: RepairOptions): Promise<RepairReport> {
  const actions: string[] = []
  const did = (action: string): void => {
    actions.push(action)
    options.did?.(action)
  }
  const mendStore = (): Promise<void> => repairStore(disk, dir, options.now, did)

  if (await isDamaged(disk, dir)) await mendStore()
  const first = await withOutbox(disk, dir, (found) => mend(disk, dir, found, options.progress, did))
  if (first === 'store damaged') {
    await mendStore()
    await withOutbox(disk, dir, (found) => mend(disk, dir, found, options.progress, did))
  }
  const remaining = await withOutbox(disk, dir, (found) => walk(found, options.progress))
  return { actions, remaining }
}

/** Whether the store does not even open. */
async function isDamaged(disk: Disk, dir: string): Promise<boolean> {
  try {
    await (await disk.openStore(layout.store(dir), { create: false, compression: true })).close()
    return false
  } catch (error) {
    if (isStoreDamage(error)) return true
    // Anything else comes again where it is explained.
    if (error instanceof OperatorError) return false
    throw error
  }
}

async function repairStore(disk: Disk, dir: string, now: Millis, did: (action: string) => void): Promise<void> {
  const path = layout.store(dir)
  const backup = join(dir, `repair-${new Date(now).toISOString().replaceAll(':', '-')}`)
  const copied = await disk.copyIndex(path, backup)
  if (copied.length > 0) did(`copied ${copied.join(', ')} of the store to ${backup}`)
  await disk.repairStore(path)
  did(`rebuilt the index of the store from its tables and logs; what was replaced is in ${join(path, 'lost')}`)
}

/** @returns whether the store has to be repaired too: it can be read, but not written any more */
async function mend(
  disk: Disk,
  dir: string,
  found: FoundOutbox,
  progress: Progress,
  did: (action: string) => void,
): Promise<'done' | 'store damaged'> {
  const { store, identity, lanes } = found
  const wrote = await recordIdentity(disk, store, dir, identity)
  if (wrote.store) did(`wrote into the store again whose it is (from ${layout.marker(dir)})`)
  if (wrote.marker) did(`wrote ${layout.marker(dir)} again`)

  const { findings } = await walk(found, progress)
  const ops: WriteOp[] = [...found.mend]
  const done: string[] = []
  for (const finding of findings) {
    if (finding.kind === 'note') {
      ops.push({ type: 'del', key: finding.key })
      done.push(`removed a note that had no effect any more: ${finding.detail}`)
    } else if (finding.kind === 'end') {
      done.push(`declared ${finding.lane} ${finding.from}-${finding.to} missing: the last blocks are damaged or gone`)
    } else if (finding.kind !== 'inconsistent') {
      const repaired = await repairLane(store, lanes[finding.lane], finding)
      ops.push(...repaired.ops)
      done.push(...repaired.done)
    }
  }
  if (ops.length === 0) return 'done'
  for (const lane of LANES) ops.push(...placeOps(lanes[lane]))
  ops.push(identityOp(identity))
  return await writeAll(store, ops, () => {
    for (const action of done) did(action)
  })
}

/** Writes, and then has every table read once: a damaged one would stop the gateway from writing later. */
async function writeAll(
  store: KeyValueStore,
  ops: readonly WriteOp[],
  written: () => void,
): Promise<'done' | 'store damaged'> {
  try {
    await store.write(ops, { sync: true })
    written()
    await store.compact(EVERYTHING)
    await store.write(ops.slice(-1), { sync: true })
    return 'done'
  } catch (error) {
    if (isStoreDamage(error)) return 'store damaged'
    throw error
  }
}

const isStoreDamage = (error: unknown): boolean => error instanceof OperatorError && error.code === 'STORE_DAMAGED'
