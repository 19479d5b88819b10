import { type Bytes, describeError, LANES, type Lane, type Offset } from '../../sync/contract/index.ts'
import type { Disk, KeyRange, KeyValueStore } from '../ports/index.ts'
import { type Block, decodeBlock, soundHeader } from './block.ts'
import { type FoundOutbox, withOutbox } from './inspect.ts'
import { cursorKey, headKey, namedKey, namedRange, offsetOf, offsetRange } from './keys.ts'
import type { LaneState } from './lane.ts'
import { openNote } from './note.ts'
import { trimmedKey } from './records.ts'

/** Something that is not as it was written. */
export type Finding =
  /** A block that does not match its checksum or its key: no reader takes it. */
  | { kind: 'damaged'; lane: Lane; from: Offset; to: Offset; detail: string }
  /** A block that is sound by itself and does not fit its neighbours. */
  | { kind: 'inconsistent'; lane: Lane; from: Offset; to: Offset; detail: string }
  /** The last blocks of a lane are damaged, or gone although the lane says that they were written. */
  | { kind: 'end'; lane: Lane; from: Offset; to: Offset }
  /** Records that are neither there nor declared missing. */
  | { kind: 'missing'; lane: Lane; from: Offset; to: Offset }
  /** A small fact that does not match its checksum; it is left out of account as if it were not there. */
  | { kind: 'note'; key: Buffer; detail: string }

export interface Verification {
  blocks: number
  records: number
  bytes: Bytes
  findings: readonly Finding[]
}

/** Called now and then with what was looked at so far. */
export type Progress = (blocks: number, bytes: Bytes) => void

const PROGRESS_EVERY = 1000
const NEWLINE = 10

/**
 * Walks over everything in an outbox that no gateway has open: checksums, offsets without holes, and the running
 * checksum from block to block.
 *
 * @throws OperatorError see `inspectOutbox`
 */
export function verifyOutbox(disk: Disk, dir: string, progress: Progress): Promise<Verification> {
  return withOutbox(disk, dir, (found) => walk(found, progress))
}

/** The same for an outbox that is open already. */
export async function walk({ store, lanes, lostEnds }: FoundOutbox, progress: Progress): Promise<Verification> {
  const findings: Finding[] = lostEnds.map((end) => ({ kind: 'end', ...end }))
  let [blocks, records, bytes] = [0, 0, 0]
  for (const lane of LANES)
    for await (const found of walkLane(store, lanes[lane])) {
      if ('kind' in found) findings.push(found)
      else {
        blocks++
        records += found.count
        bytes += found.bodyBytes
        if (blocks % PROGRESS_EVERY === 0) progress(blocks, bytes)
      }
    }
  for await (const finding of walkNotes(store)) findings.push(finding)
  progress(blocks, bytes)
  return { blocks, records, bytes, findings }
}

async function* walkLane(store: KeyValueStore, state: LaneState): AsyncIterable<Block | Finding> {
  const { lane, gaps, tail, durable, cursor } = state
  // What the centre has already is not missing, even if it could not be sent again.
  const missing = (from: Offset, to: Offset): Finding[] =>
    gaps.undeclared(Math.max(from, cursor.next), to).map((part) => ({ kind: 'missing', lane, ...part }))
  /** A damaged block; how long it is may be told only by the block that follows. */
  let open: { from: Offset; detail: string } | null = null
  let before: Block | null = null
  let next = tail
  for await (const [key, value] of store.entries(offsetRange('b', lane, tail))) {
    const first = offsetOf(key)
    // An eviction that was cut short: declared, and not read by anybody.
    if (gaps.lost(first)) continue
    if (open) yield { kind: 'damaged', lane, ...open, to: first - 1 }
    else if (first > next) yield* missing(next, first - 1)
    open = null
    const { block, fault } = decoded(first, value)
    if (!block) {
      const count = soundHeader(first, value)?.count
      if (count === undefined) open = { from: first, detail: fault }
      else yield { kind: 'damaged', lane, from: first, to: first + count - 1, detail: fault }
      next = first + (count ?? 1)
      continue
    }
    const detail = disagreement(block, before, next)
    if (detail !== null) yield { kind: 'inconsistent', lane, from: first, to: first + block.count - 1, detail }
    yield block
    before = block
    next = Math.max(next, first + block.count)
  }
  if (open) yield { kind: 'damaged', lane, ...open, to: Math.max(open.from, durable - 1) }
  else if (next < durable) yield* missing(next, durable - 1)
}

function decoded(first: Offset, value: Buffer): { block: Block | null; fault: string } {
  try {
    const block = decodeBlock(value)
    return block.first === first ? { block, fault: '' } : { block: null, fault: `it is the block of ${block.first}` }
  } catch (error) {
    return { block: null, fault: describeError(error) }
  }
}

/** How a sound block contradicts the one before it, or itself; null when it does not. */
function disagreement(block: Block, before: Block | null, next: Offset): string | null {
  if (block.first < next) return `the blocks before it reach to ${next - 1}`
  if (before && before.first + before.count === block.first && before.lineage !== block.lineageBefore)
    return 'it does not continue the running checksum of the block before it'
  let lines = 0
  for (let at = block.body.indexOf(NEWLINE); at >= 0; at = block.body.indexOf(NEWLINE, at + 1)) lines++
  return lines === block.count ? null : `it says that it has ${block.count} records, and has ${lines}`
}

/** Everything that is stored as a note (see `keys.ts`), by what it is for people. */
async function* walkNotes(store: KeyValueStore): AsyncIterable<Finding> {
  const one = (key: Buffer): KeyRange => ({ gte: key, lt: Buffer.concat([key, Buffer.from([0])]) })
  const kinds: [what: string, KeyRange][] = [
    ['whose outbox this is', one(namedKey('m', 'identity'))],
    ['from where to replay', one(namedKey('m', 'replay'))],
    ...LANES.flatMap((lane): [string, KeyRange][] => [
      [`the cursor of ${lane}`, one(cursorKey(lane))],
      [`the head of ${lane}`, one(headKey(lane))],
      [`what was trimmed of ${lane}`, one(trimmedKey(lane))],
      [`a gap of ${lane}`, offsetRange('g', lane, 0)],
      [`a segment of ${lane}`, offsetRange('p', lane, 0)],
    ]),
    ['the state of a series', namedRange('s')],
  ]
  for (const [what, range] of kinds)
    for await (const [key, value] of store.entries(range))
      if (!openNote(value)) yield { kind: 'note', key, detail: `${what} cannot be read` }
}
