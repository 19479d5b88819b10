import type { Bytes } from '../../../sync/contract/index.ts'

/**
 * Appends to what is kept of a packet until all of it is there. The copy grows with what came, not with what was announced: an idle
 * attacker costs what it sent.
 *
 * @param used how much of `held` is taken
 * @param most what the packet needs
 * @returns `held`, or a larger copy of it
 */
export function append(held: Buffer, used: Bytes, bytes: Buffer, most: Bytes): Buffer {
  const length = used + bytes.length
  let room = held
  if (length > held.length) {
    room = Buffer.allocUnsafeSlow(Math.min(most, Math.max(64, length, held.length * 2)))
    held.copy(room, 0, 0, used)
  }
  bytes.copy(room, used)
  return room
}
