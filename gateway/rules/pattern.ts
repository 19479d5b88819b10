/** A pattern in which `*` stands for any characters, none included. Everything else is itself. */
export interface Pattern {
  matches(text: string): boolean
  /**
   * How much it says: characters that must be there. Whole texts say more than any pattern.
   */
  specificity: number
}

const WHOLE = 1_000_000

export function compilePattern(text: string): Pattern {
  if (!text.includes('*')) return { matches: (other) => other === text, specificity: WHOLE + text.length }
  const parts = text.split('*')
  return { matches: (other) => matchesParts(parts, other), specificity: text.length - (parts.length - 1) }
}

/** Whether some text fits both. */
export function patternsMeet(one: string, other: string): boolean {
  if (!one.includes('*')) return compilePattern(other).matches(one)
  if (!other.includes('*')) return compilePattern(one).matches(other)
  // Whatever must be in the middle finds room in the other's `*`: only the ends can contradict each other.
  const [head, otherHead] = [one.slice(0, one.indexOf('*')), other.slice(0, other.indexOf('*'))]
  const [tail, otherTail] = [one.slice(one.lastIndexOf('*') + 1), other.slice(other.lastIndexOf('*') + 1)]
  return (
    (head.startsWith(otherHead) || otherHead.startsWith(head)) && (tail.endsWith(otherTail) || otherTail.endsWith(tail))
  )
}

/** Greedy from the left: linear in the text, whatever the pattern. A regular expression would not be. */
function matchesParts(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}
