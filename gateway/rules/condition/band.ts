import type { Condition } from '../rule.ts'

/** Values from one to another, both included. */
export interface Band {
  from: number
  to: number
}

const LOWEST = Number.NEGATIVE_INFINITY
const HIGHEST = Number.POSITIVE_INFINITY

/** The numbers that show nothing while the condition does not hold, whatever came before; null when that depends on more than the number. */
export function restBand(condition: Condition): Band | null {
  switch (condition.kind) {
    case 'missing':
      return { from: LOWEST, to: HIGHEST }
    case 'above':
      return { from: LOWEST, to: condition.limit.raise }
    case 'below':
      return { from: condition.limit.raise, to: HIGHEST }
    case 'outside':
      return { from: condition.low.raise, to: condition.high.raise }
    case 'ladder': {
      const { lolo, lo, hi, hihi } = condition.steps
      return {
        from: Math.max(lolo?.raise ?? LOWEST, lo?.raise ?? LOWEST),
        to: Math.min(hi?.raise ?? HIGHEST, hihi?.raise ?? HIGHEST),
      }
    }
    default:
      return null
  }
}
