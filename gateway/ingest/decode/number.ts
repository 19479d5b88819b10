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
