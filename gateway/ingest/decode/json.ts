import { clip, type DecodeProblem, problem } from './codes.ts'
import { MAX_DEPTH } from './limits.ts'

/** A parsed JSON text, or why it is none. */
export type Parsed = { readonly value: unknown } | { readonly problem: DecodeProblem }

/**
 * Parses JSON, which may also hold `NaN` and infinities as many devices write them (`nan`, `-inf`, `Infinity`): they become
 * numbers that are not finite, so that only the value in question is refused and not its neighbours.
 */
export function parseJson(text: string): Parsed {
  if (isTooDeep(text)) return { problem: problem('PAYLOAD_TOO_DEEP', `nested more than ${MAX_DEPTH} deep`) }
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
 * Looks before parsing, because parsing is what costs: 64 KB of `[` would become 64,000 arrays. One object or array
 * without another inside, the usual case, is seen without looking at each character.
 */
function isTooDeep(text: string): boolean {
  if (text.indexOf('{', 1) < 0 && text.indexOf('[', 1) < 0) return false
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // "
        i = stringEnd(text, i)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH) return true
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth--
        break
    }
  }
  return false
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
