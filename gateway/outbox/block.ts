import { crc32 } from 'node:zlib'
import { type Bytes, type Millis, type Offset, OperatorError } from '../../sync/contract/index.ts'

/**
 * A block: N records as NDJSON behind a fixed header, one value of the store. All integers big-endian.
 *
 *      0  4  magic "TGB1"
 *      4  4  CRC-32 of bytes 8..47
 *      8  4  number of records
 *     12  4  bytes of the body
 *     16  8  offset of the first record
 *     24  8  when it was committed (Unix milliseconds)
 *     32  8  bytes of all bodies of the lane before this one
 *     40  4  lineage before: running CRC-32 of all bodies of the lane before this one
 *     44  4  lineage after: the same including this body, so it is the body's checksum too
 *     48  -  the body; each record ends in a newline
 */
export interface BlockHeader {
  count: number
  bodyBytes: Bytes
  first: Offset
  committedAt: Millis
  bytesBefore: Bytes
  lineageBefore: number
  lineage: number
}

export interface Block extends BlockHeader {
  body: Buffer
}

const MAGIC = 0x54474231
export const BLOCK_HEADER_BYTES = 48

/** The records of a block, in order. */
export function linesOf(block: Block): string[] {
  const lines = block.body.toString('utf8').split('\n')
  lines.pop()
  return lines
}

/** The value to store for `body`; `lineageBefore` continues the lane's running CRC-32. */
export function encodeBlock(
  body: Buffer,
  facts: { count: number; first: Offset; committedAt: Millis; bytesBefore: Bytes; lineageBefore: number },
): { value: Buffer; lineage: number } {
  const value = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + body.length)
  const lineage = crc32(body, facts.lineageBefore)
  value.writeUInt32BE(MAGIC, 0)
  value.writeUInt32BE(facts.count, 8)
  value.writeUInt32BE(body.length, 12)
  writeSafeInteger(value, facts.first, 16)
  writeSafeInteger(value, facts.committedAt, 24)
  writeSafeInteger(value, facts.bytesBefore, 32)
  value.writeUInt32BE(facts.lineageBefore, 40)
  value.writeUInt32BE(lineage, 44)
  value.writeUInt32BE(crc32(value.subarray(8, BLOCK_HEADER_BYTES)), 4)
  body.copy(value, BLOCK_HEADER_BYTES)
  return { value, lineage }
}

/**
 * @throws OperatorError `BLOCK_DAMAGED` when any checksum fails: whatever the value says, it is not what was stored
 */
export function decodeBlock(value: Buffer): Block {
  const header = decodeBlockHeader(value)
  const body = value.subarray(BLOCK_HEADER_BYTES)
  if (body.length !== header.bodyBytes || crc32(body, header.lineageBefore) !== header.lineage)
    throw damaged('its body does not match its checksum')
  return { ...header, body }
}

/** The header alone, checked; the body is not looked at. */
export function decodeBlockHeader(value: Buffer): BlockHeader {
  if (value.length < BLOCK_HEADER_BYTES) throw damaged(`it has ${value.length} bytes`)
  if (value.readUInt32BE(0) !== MAGIC) throw damaged('it does not begin with TGB1')
  if (crc32(value.subarray(8, BLOCK_HEADER_BYTES)) !== value.readUInt32BE(4))
    throw damaged('its header does not match its checksum')
  return {
    count: value.readUInt32BE(8),
    bodyBytes: value.readUInt32BE(12),
    first: readSafeInteger(value, 16),
    committedAt: readSafeInteger(value, 24),
    bytesBefore: readSafeInteger(value, 32),
    lineageBefore: value.readUInt32BE(40),
    lineage: value.readUInt32BE(44),
  }
}

/** The block stored under offset `first`; null when it is damaged, or another than the one that belongs there. */
export function soundBlock(first: Offset, value: Buffer): Block | null {
  return soundOrNull(first, () => decodeBlock(value))
}

/** Its header alone. */
export function soundHeader(first: Offset, value: Buffer): BlockHeader | null {
  return soundOrNull(first, () => decodeBlockHeader(value))
}

function soundOrNull<T extends BlockHeader>(first: Offset, decode: () => T): T | null {
  try {
    const block = decode()
    return block.first === first ? block : null
  } catch {
    // Not swallowed: whoever asks sets the block aside and declares its records missing.
    return null
  }
}

/** Index in `body` behind the `lines`-th newline. */
export function skipLines(body: Buffer, lines: number): number {
  let at = 0
  for (let i = 0; i < lines; i++) {
    const end = body.indexOf(10, at)
    if (end < 0) throw damaged(`it has fewer than ${lines} lines`)
    at = end + 1
  }
  return at
}

function damaged(what: string): OperatorError {
  return new OperatorError('BLOCK_DAMAGED', `a block of the outbox is damaged: ${what}`)
}

function writeSafeInteger(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  buffer.writeUInt32BE(value % 2 ** 32, at + 4)
}

function readSafeInteger(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * 2 ** 32 + buffer.readUInt32BE(at + 4)
}
