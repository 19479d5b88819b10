/**
 * Comparing and copying short stretches of bytes four at a time. For what lies in a publish, a call into the runtime costs more than the
 * work, and a byte at a time costs three times as much.
 */

const WORD = 4

/** Views the same bytes. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** A copy of all of them, one behind the other, in memory of its own: a piece of a pool would keep the whole pool alive. */
export function keptView(parts: readonly Uint8Array[]): DataView {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return viewOf(bytes)
}

/** Whether `one[at..at+length)` and `other[from..from+length)` are the same; both have to lie within their views. */
export function sameBytes(one: DataView, at: number, other: DataView, from: number, length: number): boolean {
  if (length < WORD) {
    for (let i = 0; i < length; i++) if (one.getUint8(at + i) !== other.getUint8(from + i)) return false
    return true
  }
  const last = length - WORD
  for (let i = 0; i < last; i += WORD) if (one.getInt32(at + i, true) !== other.getInt32(from + i, true)) return false
  return one.getInt32(at + last, true) === other.getInt32(from + last, true)
}

/** Copies `length` bytes to `into[at..)`; both have to lie within their views. */
export function copyBytes(from: DataView, start: number, length: number, into: DataView, at: number): void {
  if (length < WORD) {
    for (let i = 0; i < length; i++) into.setUint8(at + i, from.getUint8(start + i))
    return
  }
  const last = length - WORD
  for (let i = 0; i < last; i += WORD) into.setInt32(at + i, from.getInt32(start + i, true), true)
  into.setInt32(at + last, from.getInt32(start + last, true), true)
}
