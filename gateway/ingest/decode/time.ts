import type { Millis } from '../../../sync/contract/index.ts'
import { type DecodeProblem, problem, show } from './codes.ts'
import type { DecodeLimits } from './limits.ts'

/** Numbers below this are Unix seconds (until the year 5138), others Unix milliseconds (from March 1973). */
const SECONDS_BELOW = 1e11

/**
 * A device's timestamp as Unix milliseconds: from Unix seconds or milliseconds (fractions allowed), or RFC 3339.
 * Rounded to whole microseconds, because fast sensors sample more than once a millisecond and a double holds no more.
 *
 * @returns NaN when it is none of these
 */
export function readTime(time: unknown): Millis {
  if (typeof time === 'number') return time < SECONDS_BELOW ? fromSeconds(time) : inRange(time)
  return typeof time === 'string' ? parseRfc3339(time) : Number.NaN
}

/** Unix seconds as Unix milliseconds, rounded to whole microseconds; NaN outside of what a Date can say. */
export function fromSeconds(seconds: number): Millis {
  return inRange(Math.round(seconds * 1e6) / 1e3)
}

/** ECMA-262 §21.4.1.1: what a Date can say, 100 million days to each side of 1970. */
const MAX_TIME = 8.64e15

function inRange(time: Millis): Millis {
  if (!(Math.abs(time) <= MAX_TIME)) return Number.NaN
  // Adding zero makes 0 of -0, which JSON cannot say.
  return (Number.isInteger(time) ? time : Math.round(time * 1e3) / 1e3) + 0
}

/** Refuses a time that only a broken clock can have written. */
export function checkTime(time: Millis, received: Millis, limits: DecodeLimits): DecodeProblem | null {
  if (time > received + limits.maxFuture)
    return problem('TIME_IN_FUTURE', `time ${at(time)} is more than ${limits.maxFuture} ms ahead of ${at(received)}`)
  if (time < received - limits.maxAge)
    return problem('TIME_TOO_OLD', `time ${at(time)} is more than ${limits.maxAge} ms behind ${at(received)}`)
  return null
}

export function timeProblem(time: unknown): DecodeProblem {
  return problem(
    'TIME_INVALID',
    `time: expected Unix milliseconds, Unix seconds or RFC 3339 with its offset ('2026-01-31T12:00:00Z'), got ${show(time)}`,
  )
}

function at(time: Millis): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? `${time}` : date.toISOString()
}

const NONE = -1
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * RFC 3339 `date-time` (§5.6); `T` and `Z` also in lower case, and a blank for `T`, as the RFC allows. The offset must be
 * there: without it nobody knows which hour is meant. A leap second (60) is the first of the next minute, as in POSIX.
 * By hand, because `Date.parse` takes much that is not RFC 3339, drops microseconds, and takes 30 February.
 */
function parseRfc3339(text: string): Millis {
  if (text.length < 20 || text.length > 40) return Number.NaN
  const year = two(text, 0) * 100 + two(text, 2)
  const month = two(text, 5)
  const day = two(text, 8)
  const hour = two(text, 11)
  const minute = two(text, 14)
  const second = two(text, 17)
  const separator = text[10]
  const wellFormed =
    two(text, 0) !== NONE &&
    two(text, 2) !== NONE &&
    text[4] === '-' &&
    text[7] === '-' &&
    (separator === 'T' || separator === 't' || separator === ' ') &&
    text[13] === ':' &&
    text[16] === ':'
  if (!wellFormed) return Number.NaN
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return Number.NaN
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return Number.NaN
  let end = 19
  if (text[end] === '.') {
    do end++
    while (isDigit(text, end))
  }
  const offset = parseOffset(text, end)
  const fraction = end === 19 ? 0 : Math.round(Number(text.slice(19, end)) * 1e6) / 1e3
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; such times are refused as too old anyway.
  return inRange(Date.UTC(year, month - 1, day, hour, minute, second) - offset + fraction)
}

/** The offset that ends the text, in milliseconds; NaN if something else stands there. */
function parseOffset(text: string, start: number): Millis {
  const sign = text[start]
  if (sign === 'Z' || sign === 'z') return text.length === start + 1 ? 0 : Number.NaN
  const hours = two(text, start + 1)
  const minutes = two(text, start + 4)
  if ((sign !== '+' && sign !== '-') || text.length !== start + 6 || text[start + 3] !== ':') return Number.NaN
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN
  return (sign === '-' ? -60_000 : 60_000) * (hours * 60 + minutes)
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 && !leap ? 28 : (DAYS[month - 1] ?? NONE)
}

/** Two decimal digits as a number, or NONE. */
function two(text: string, start: number): number {
  if (!isDigit(text, start) || !isDigit(text, start + 1)) return NONE
  return text.charCodeAt(start) * 10 + text.charCodeAt(start + 1) - 0x30 * 11
}

function isDigit(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return unit >= 0x30 && unit <= 0x39
}
