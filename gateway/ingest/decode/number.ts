/** 10^0 ... 10^15, exact as doubles. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)

/** Decimal digits that a double holds exactly, whatever they are. */
export const EXACT_DIGITS = 15

/**
 * `digits` / 10^`decimals`, correctly rounded, for at most 15 digits: both numbers are exact doubles then, and IEEE 754
 * rounds one division correctly (Clinger 1990, "How to read floating point numbers accurately", the fast case).
 */
export function decimal(digits: number, decimals: number): number {
  return decimals === 0 ? digits : digits / (POWERS_OF_TEN[decimals] ?? Number.NaN)
}

/**
 * A number as devices write it, in decimal: as JSON, and also with a plus sign, leading zeros (`printf("%05.1f")`), or
 * nothing on one side of the point. Blanks around it are allowed.
 *
 * @returns undefined for any other text; an infinity when it is beyond the range of a double, NaN for `nan` and `inf`
 */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim()
  if (DECIMAL.test(trimmed)) return Number(trimmed)
  return NOT_FINITE.test(trimmed) ? Number.NaN : undefined
}

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE = /^[+-]?(?:nan|inf(?:inity)?)$/i

/**
 * The bytes of a plain number (`-12`, `21.5`), read without making a string of them.
 *
 * @returns NaN when it is anything else, and also for numbers that need more care than this
 */
export function scanNumber(bytes: Uint8Array): number {
  const start = bytes[0] === 0x2d ? 1 : 0
  if (bytes.length > EXACT_DIGITS + start) return Number.NaN
  let digits = 0
  let point = -1
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte >= 0x30 && byte <= 0x39) digits = digits * 10 + (byte - 0x30)
    else if (byte === 0x2e && point < 0) point = i
    else return Number.NaN
  }
  const count = bytes.length - start - (point < 0 ? 0 : 1)
  if (count === 0) return Number.NaN
  const value = decimal(digits, point < 0 ? 0 : bytes.length - 1 - point)
  return start === 1 ? -value : value
}
