import type { Millis } from '../../sync/contract/index.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const FACTORS: ReadonlyMap<string, Millis> = new Map([
  ['ms', 1],
  ['s', SECOND],
  ['m', MINUTE],
  ['min', MINUTE],
  ['h', HOUR],
  ['d', DAY],
  ['w', 7 * DAY],
  ['y', 365 * DAY],
])

const WRITTEN: ReadonlyArray<readonly [name: string, factor: Millis]> = [
  ['y', 365 * DAY],
  ['d', DAY],
  ['h', HOUR],
  ['m', MINUTE],
  ['s', SECOND],
  ['ms', 1],
]

/** How a duration is written, for messages. */
export const DURATION_FORM = 'a duration with its unit (ms, s, m, h, d, w, y) such as 250ms, 30s or 1h30m'

/**
 * A duration as people write it: `250ms`, `30s`, `1.5h`, `1h30m`, `10y` (of 365 days). A bare number is refused, because
 * nobody can tell whether it means seconds or milliseconds; only `0` needs no unit.
 *
 * @returns null when the text is not a duration, or not a whole number of milliseconds
 */
export function parseDuration(text: string): Millis | null {
  const compact = text.replaceAll(/\s+/g, '')
  if (compact === '0') return 0
  if (!/^(\d+(\.\d+)?[a-z]+)+$/.test(compact)) return null
  let total = 0
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const factor = FACTORS.get(unit ?? '')
    if (factor === undefined) return null
    total += Number(amount) * factor
  }
  const millis = Math.round(total)
  return Number.isSafeInteger(millis) && Math.abs(millis - total) < 1e-6 * Math.max(1, total) ? millis : null
}

/** The way to write a duration exactly: `1h`, `1h30m`, `250ms`. */
export function formatDuration(millis: Millis): string {
  let rest = millis
  let written = ''
  for (const [name, factor] of WRITTEN) {
    const amount = Math.floor(rest / factor)
    if (amount > 0) written += `${amount}${name}`
    rest -= amount * factor
  }
  return written || '0s'
}
