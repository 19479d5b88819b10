/**
 * One level of a topic pattern: a fixed text, any text (`+`, may be empty), or a text that is kept under a name
 * (`{device}`, must not be empty: a reading needs a device).
 */
export type Level =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'named'; readonly name: string }

/** A sequence of levels; with `rest`, any number of further levels, none included (MQTT 3.1.1 §4.7.1.2). */
export interface Pattern {
  readonly levels: readonly Level[]
  readonly rest: boolean
}

/** True if a topic, split at its slashes, fits the pattern. */
export function matches(pattern: Pattern, topic: readonly string[]): boolean {
  const { levels, rest } = pattern
  if (rest ? topic.length < levels.length : topic.length !== levels.length) return false
  const first = levels[0]
  if (first?.kind !== 'literal' && isReserved(topic[0] ?? '')) return false
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]
    if (level === undefined || !fits(level, topic[i] ?? '')) return false
  }
  return true
}

/** True if every topic that fits `inner` (which has at least one level, as templates have) also fits `outer`. */
export function covers(outer: Pattern, inner: Pattern): boolean {
  if (inner.levels.length < outer.levels.length) return false
  if (!outer.rest && (inner.rest || inner.levels.length > outer.levels.length)) return false
  const [outermost] = outer.levels
  const [innermost] = inner.levels
  if (outermost?.kind !== 'literal' && innermost?.kind === 'literal' && isReserved(innermost.text)) return false
  return outer.levels.every((level, i) => {
    const other = inner.levels[i]
    if (other === undefined) return false
    if (other.kind === 'literal') return fits(level, other.text)
    return level.kind === 'any' || (level.kind === 'named' && other.kind === 'named')
  })
}

/** MQTT 3.1.1 §4.7.2-1: a wildcard at the front does not reach topics that begin with `$`. */
function isReserved(first: string): boolean {
  return first.startsWith('$')
}

function fits(level: Level, text: string): boolean {
  if (level.kind === 'literal') return level.text === text
  return level.kind === 'any' || text !== ''
}
