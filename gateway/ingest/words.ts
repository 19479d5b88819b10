/**
 * Comparing and copying short stretches of text eight bytes at a time. For what lies in a publish, a call into the runtime costs more than
 * the work, and a byte at a time costs several times as much.
 *
 * Eight bytes are handled as a double, the only number of that size that costs nothing to make. A double may change on its way if it is a NaN,
 * and two may be equal that are not the same if they are zero. Neither can happen to text: a NaN ends with a byte of F0 or more and one
 * of 7F or FF, which do not stand together in UTF-8 (RFC 3629 §3), and a zero consists of NULs.
 */

const WORD = 8
const HALF = 4

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

/**
 * Whether `one[at..at+length)` and `text[from..from+length)` are the same; both have to lie within their views.
 *
 * @param text valid UTF-8 without NUL; `one` may be anything
 */
export function sameBytes(one: DataView, at: number, text: DataView, from: number, length: number): boolean {
  if (length >= WORD) {
    const last = length - WORD
    for (let i = 0; i < last; i += WORD)
      if (one.getFloat64(at + i, true) !== text.getFloat64(from + i, true)) return false
    return one.getFloat64(at + last, true) === text.getFloat64(from + last, true)
  }
  if (length >= HALF) {
    const last = length - HALF
    return (
      one.getInt32(at, true) === text.getInt32(from, true) &&
      one.getInt32(at + last, true) === text.getInt32(from + last, true)
    )
  }
  for (let i = 0; i < length; i++) if (one.getUint8(at + i) !== text.getUint8(from + i)) return false
  return true
}

/** Copies `length` bytes of valid UTF-8 to `into[at..)`; both have to lie within their views. */
export function copyBytes(text: DataView, start: number, length: number, into: DataView, at: number): void {
  if (length >= WORD) {
    const last = length - WORD
    for (let i = 0; i < last; i += WORD) into.setFloat64(at + i, text.getFloat64(start + i, true), true)
    into.setFloat64(at + last, text.getFloat64(start + last, true), true)
    return
  }
  if (length >= HALF) {
    const last = length - HALF
    into.setInt32(at, text.getInt32(start, true), true)
    into.setInt32(at + last, text.getInt32(start + last, true), true)
    return
  }
  for (let i = 0; i < length; i++) into.setUint8(at + i, text.getUint8(start + i))
}
