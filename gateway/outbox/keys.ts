import type { Lane, Offset } from '../../sync/contract/index.ts'
import type { KeyRange } from '../ports/index.ts'

/**
 * Layout of the store. The first byte says what an entry is, so each kind is one contiguous range:
 *
 *     b <lane> <offset: 8 bytes, big-endian>   a block, by the offset of its first record
 *     g <lane> <offset: 8 bytes, big-endian>   a declared gap, by its first offset
 *     p <lane> <offset: 8 bytes, big-endian>   a segment (about 1 MiB of blocks), by its first offset
 *     x <lane> <offset: 8 bytes, big-endian>   a damaged block, set aside as it was found
 *     c <lane>                                 the cursor of a lane
 *     h <lane>                                 the head of a lane
 *     m <name>                                 facts about the store
 *     s <name>                                 snapshot of one part of the state machine
 *     q <client id> 00 <packet id>             a QoS 2 publish that is stored and not yet released
 *     t <fingerprint> 00 <origin>              a reading of a peer of which there is a copy here
 *     o <origin>                               there is a replica of this origin
 *     r <origin> 00 <any of the above>         what is stored of it: b, g, p, x, c, h and m
 *
 * Blocks carry their own checksums; everything else but `q`, whose keys say it all, is a note (see `note.ts`).
 */
const LANE_BYTES: Record<Lane, number> = { readings: 0x72, events: 0x65, deadletters: 0x64 }
const OFFSET_BYTES = 8

export type OffsetKind = 'b' | 'g' | 'p' | 'x'
export type NamedKind = 'm' | 's' | 'q' | 't' | 'o'

export function offsetKey(kind: OffsetKind, lane: Lane, offset: Offset): Buffer {
  const key = Buffer.allocUnsafe(2 + OFFSET_BYTES)
  key[0] = kind.charCodeAt(0)
  key[1] = LANE_BYTES[lane]
  key.writeUInt32BE(Math.floor(offset / 2 ** 32), 2)
  key.writeUInt32BE(offset % 2 ** 32, 6)
  return key
}

export function offsetOf(key: Buffer): Offset {
  return key.readUInt32BE(2) * 2 ** 32 + key.readUInt32BE(6)
}

/** Entries of one kind and lane whose offset lies in [from, to). */
export function offsetRange(
  kind: OffsetKind,
  lane: Lane,
  from: Offset,
  to: Offset = Number.MAX_SAFE_INTEGER,
): KeyRange {
  return { gte: offsetKey(kind, lane, from), lt: offsetKey(kind, lane, to) }
}

export function cursorKey(lane: Lane): Buffer {
  return Buffer.from([0x63, LANE_BYTES[lane]])
}

export function headKey(lane: Lane): Buffer {
  return Buffer.from([0x68, LANE_BYTES[lane]])
}

export function namedKey(kind: NamedKind, name: string): Buffer {
  return Buffer.from(kind + name, 'utf8')
}

export function nameOf(key: Buffer): string {
  return key.toString('utf8', 1)
}

/** All entries of one named kind. */
export function namedRange(kind: NamedKind): KeyRange {
  const byte = kind.charCodeAt(0)
  return { gte: Buffer.from([byte]), lt: Buffer.from([byte + 1]) }
}

/** What the keys of the replica of one origin begin with. */
export const replicaPrefix = (origin: string): Buffer => Buffer.from(`r${origin}\0`, 'utf8')

/** All there is. */
export const EVERYTHING: KeyRange = { gte: Buffer.alloc(0), lt: Buffer.from([0xff]) }
