import { clip, type DecodeProblem, problem } from './codes.ts'
import { MAX_DEPTH } from './limits.ts'

/** A parsed JSON text, or why it is none. */
export type Parsed = { readonly value: unknown } | { readonly problem: DecodeProblem }

/**
 * Parses JSON, which may also hold `NaN` and infinities as many devices write them (`nan`, `-inf`, `Infinity`): they become
 * numbers that are not finite, so that only the value in question is refused and not its neighbours.
 *
 * @param bytes the same text in UTF-8 (brackets are found faster there); may have a byte order mark in front
 */
export function parseJson(text: string, bytes: Uint8Array): Parsed {
  if (isTooDeep(text, bytes)) return { problem: problem('PAYLOAD_TOO_DEEP', `nested more than ${MAX_DEPTH} deep`) }
  const parsed = tryParse(text)
  const marked = 'problem' in parsed ? markNonFinite(text) : null
  if (marked === null) return parsed
  const again = tryParse(marked)
  return 'problem' in again ? parsed : again
}

function tryParse(text: string): Parsed {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { problem: problem('PAYLOAD_NOT_JSON', `expected a number or JSON: ${clip(detail, 200)}`) }
  }
}

/**
 * Looks before parsing, because parsing is what costs: 64 KB of `[` would become 64,000 arrays. A text with few brackets,
 * the usual case, is not looked at byte by byte.
 */
function isTooDeep(text: string, bytes: Uint8Array): boolean {
  if (countAtMost(text, '{', MAX_DEPTH) + countAtMost(text, '[', MAX_DEPTH) <= MAX_DEPTH) return false
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === 0x22) inString = !inString
    else if (inString) i += byte === 0x5c ? 1 : 0
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

/** How often a character occurs; more than `most` is not counted on. */
function countAtMost(text: string, char: string, most: number): number {
  let count = 0
  for (let at = text.indexOf(char); at >= 0 && count <= most; at = text.indexOf(char, at + 1)) count++
  return count
}

const NON_FINITE = /nan|inf(?:inity)?/iy

/**
 * The text with a number too large for a double in the place of each `NaN` and infinity, or null if there are none.
 * Character by character, because a regular expression that skips strings takes quadratic time on hostile ones.
 */
function markNonFinite(text: string): string | null {
  let marked = ''
  let copied = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    const lower = char | 0x20
    if (char === 0x22) i = stringEnd(text, i)
    else if (lower === 0x6e || lower === 0x69) {
      NON_FINITE.lastIndex = i
      const word = NON_FINITE.exec(text)?.[0]
      if (word === undefined) continue
      marked += `${text.slice(copied, i)}1e999`
      copied = i + word.length
      i = copied - 1
    }
  }
  return copied === 0 ? null : marked + text.slice(copied)
}

/** Index of the quote that ends the string that begins at `start`; the length of the text when none does. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) return i
    if (char === 0x5c) i++
  }
  return text.length
}
