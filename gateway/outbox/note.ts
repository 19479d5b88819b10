import { crc32 } from 'node:zlib'

const CRC_BYTES = 4

/**
 * A small fact (cursor, segment, gap, ...) as it is stored: its CRC-32, big-endian, then JSON. A flipped bit in a table that
 * is not compressed goes unnoticed by LevelDB, and a cursor or a counter that is a little wrong loses readings.
 */
export function encodeNote(fact: unknown): Buffer {
  return sealNote(Buffer.from(JSON.stringify(fact), 'utf8'))
}

/** The fact; null when there is none, or it is not what was stored. */
export function decodeNote<T>(stored: Buffer | undefined): T | null {
  const body = openNote(stored)
  return body ? (JSON.parse(body.toString('utf8')) as T) : null
}

/** Any bytes with their CRC-32 in front. */
export function sealNote(body: Buffer): Buffer {
  const note = Buffer.allocUnsafe(CRC_BYTES + body.length)
  note.writeUInt32BE(crc32(body), 0)
  body.copy(note, CRC_BYTES)
  return note
}

/** The bytes; null when there are none, or they are not what was stored. */
export function openNote(stored: Buffer | undefined): Buffer | null {
  if (!stored || stored.length < CRC_BYTES) return null
  const body = stored.subarray(CRC_BYTES)
  return crc32(body) === stored.readUInt32BE(0) ? body : null
}
