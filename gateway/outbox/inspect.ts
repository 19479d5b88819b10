import { type Bytes, LANES, type Lane, type Millis, type Offset, OperatorError } from '../../sync/contract/index.ts'
import type { Cursor, Gap } from '../../sync/forward/index.ts'
import type { Disk, KeyRange, KeyValueStore, WriteOp } from '../ports/index.ts'
import { soundBlock } from './block.ts'
import { laneBytes } from './bounds.ts'
import { emptied, findIdentity, type Identity, layout } from './identity.ts'
import { namedRange, nameOf, offsetOf, offsetRange } from './keys.ts'
import type { LaneState } from './lane.ts'
import { blockBefore, loadLane } from './load.ts'

/** What an outbox says about itself while no gateway has it open. */
export interface OutboxReport<Kind extends string> {
  dir: string
  identity: Identity
  /** Stored parts of the state machine, by kind. */
  parts: Record<Kind, number>
  /** QoS 2 publishes that are stored and not yet released by their client. */
  unreleased: number
  lanes: Record<Lane, LaneReport>
}

export interface LaneReport {
  /** One past the newest record. */
  head: Offset
  /** Oldest offset that can still be read. */
  tail: Offset
  cursor: Cursor
  /** Records that the centre has, that wait for it, and that are declared missing: together as many as were ever accepted. */
  forwarded: number
  pending: number
  missing: number
  /** Bytes of all blocks before compression, and about how many of them wait for the centre. */
  storedBytes: Bytes
  pendingBytes: Bytes
  /** When the oldest record that waits was accepted; null when none does. */
  oldestPending: Millis | null
  gaps: readonly Gap[]
  /** Damaged blocks that were set aside, by the offset of their first record. */
  quarantined: readonly { first: Offset; bytes: Bytes }[]
}

/** Block limits do not matter to whoever appends nothing. */
const NO_LIMITS = { maxRecords: 1, maxBytes: 1 }

/** The kinds of parts that a state machine has, and how to tell them by their names: the outbox does not know. */
export interface PartKinds<Kind extends string> {
  all: readonly Kind[]
  of(name: string): Kind
}

/**
 * Reads what an outbox says about itself. LevelDB has no way to open only for reading: it moves what is in its log into
 * tables, as at any start; nothing else is written.
 *
 * @throws OperatorError `OUTBOX_ABSENT`, `STORE_LOCKED` while a gateway has it open, and as `openIdentified`
 */
export function inspectOutbox<Kind extends string>(
  disk: Disk,
  dir: string,
  kinds: PartKinds<Kind>,
): Promise<OutboxReport<Kind>> {
  return withOutbox(disk, dir, async ({ store, identity, lanes }) => ({
    dir,
    identity,
    parts: await countParts(store, kinds),
    unreleased: await count(store, namedRange('q')),
    lanes: {
      readings: await laneReport(store, lanes.readings),
      events: await laneReport(store, lanes.events),
      deadletters: await laneReport(store, lanes.deadletters),
    },
  }))
}

/** An outbox that no gateway has open, as it was found: nothing is mended. */
export interface FoundOutbox {
  store: KeyValueStore
  identity: Identity
  lanes: Readonly<Record<Lane, LaneState>>
  /** Records at the end of a lane that are missing because its last blocks are damaged; a gateway declares them when it opens. */
  lostEnds: readonly { lane: Lane; from: Offset; to: Offset }[]
  /** What it would write then. */
  mend: readonly WriteOp[]
}

/** Opens an outbox that must be there, and closes it after `work`. */
export async function withOutbox<T>(disk: Disk, dir: string, work: (found: FoundOutbox) => Promise<T>): Promise<T> {
  const found = await openFound(disk, dir)
  try {
    return await work(found)
  } finally {
    await found.store.close()
  }
}

/** The same for whoever closes its store by himself. */
export async function openFound(disk: Disk, dir: string): Promise<FoundOutbox> {
  const store = await openPresent(disk, dir)
  try {
    const marker = await disk.readFile(layout.marker(dir))
    const identity = await findIdentity(store, marker, dir)
    if (identity === null) throw emptied(dir)
    const [readings, events, deadletters] = [
      await loadLane(store, 'readings', NO_LIMITS),
      await loadLane(store, 'events', NO_LIMITS),
      await loadLane(store, 'deadletters', NO_LIMITS),
    ]
    const all = [readings, events, deadletters]
    return {
      store,
      identity,
      lanes: { readings: readings.state, events: events.state, deadletters: deadletters.state },
      lostEnds: all.flatMap(({ state, damaged }) => damaged.map(({ from, to }) => ({ lane: state.lane, from, to }))),
      mend: all.flatMap(({ mend }) => mend),
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** @throws OperatorError `OUTBOX_ABSENT`, `STORE_LOCKED`, `STORE_MISSING`, `STORE_DAMAGED` */
async function openPresent(disk: Disk, dir: string): Promise<KeyValueStore> {
  try {
    return await disk.openStore(layout.store(dir), { create: false, compression: true })
  } catch (error) {
    const missing = error instanceof OperatorError && error.code === 'STORE_MISSING'
    if (!missing || (await disk.readFile(layout.marker(dir))) !== null) throw error
    throw new OperatorError(
      'OUTBOX_ABSENT',
      `there is no outbox in '${dir}'; check --data, or dataDir in the configuration`,
      { cause: error },
    )
  }
}

async function laneReport(store: KeyValueStore, state: LaneState): Promise<LaneReport> {
  const { lane, durable, tail, cursor, pending, missing, pendingBytes, gaps } = state
  const quarantined: { first: Offset; bytes: Bytes }[] = []
  for await (const [key, value] of store.entries(offsetRange('x', lane, 0)))
    quarantined.push({ first: offsetOf(key), bytes: value.length })
  return {
    head: durable,
    tail,
    cursor,
    forwarded: durable - pending - missing,
    pending,
    missing,
    storedBytes: laneBytes(state.extent(0)),
    pendingBytes,
    oldestPending: pending === 0 ? null : await oldestPending(store, state),
    gaps: gaps.all,
    quarantined,
  }
}

async function oldestPending(store: KeyValueStore, { lane, cursor, gaps, tail }: LaneState): Promise<Millis | null> {
  const from = Math.max(cursor.next, tail)
  const start = (await blockBefore(store, lane, from)) ?? from
  for await (const [key, value] of store.entries(offsetRange('b', lane, start))) {
    const first = offsetOf(key)
    const block = soundBlock(first, value)
    if (!block) continue
    const last = first + block.count - 1
    if (last >= from && !gaps.cover(Math.max(first, from), last)) return block.committedAt
  }
  return null
}

async function countParts<Kind extends string>(
  store: KeyValueStore,
  { all, of }: PartKinds<Kind>,
): Promise<Record<Kind, number>> {
  const found = Object.fromEntries(all.map((kind) => [kind, 0])) as Record<Kind, number>
  for await (const key of store.keys(namedRange('s'))) found[of(nameOf(key))]++
  return found
}

async function count(store: KeyValueStore, range: KeyRange): Promise<number> {
  let found = 0
  for await (const _ of store.keys(range)) found++
  return found
}

/** The lanes in the order in which people think of them. */
export const REPORT_ORDER: readonly Lane[] = ['readings', ...LANES.filter((lane) => lane !== 'readings')]
