import type { Limit, Step, StepName } from '../rule.ts'

/** Above `limit.raise`; once it is, until it is no longer above `limit.clear`. */
export const isAbove = (value: number, limit: Limit, active: boolean): boolean =>
  value > (active ? limit.clear : limit.raise)

/** Below `limit.raise`; once it is, until it is no longer below `limit.clear`. */
export const isBelow = (value: number, limit: Limit, active: boolean): boolean =>
  value < (active ? limit.clear : limit.raise)

/** Above the high limit or below the low one, each with its own hysteresis. */
export function outside(value: number, low: Limit, high: Limit, active: string | null): 'high' | 'low' | null {
  if (isAbove(value, high, active === 'high')) return 'high'
  if (isBelow(value, low, active === 'low')) return 'low'
  return null
}

/** Between the raise levels; once it is, until it is beyond one of the clear levels. */
export function isInside(value: number, low: Limit, high: Limit, active: boolean): boolean {
  return active ? value >= low.clear && value <= high.clear : value >= low.raise && value <= high.raise
}

/** How far a step is from normal: hi and lo 1, hihi and lolo 2; positive above, negative below. */
const REACH: Readonly<Record<StepName, number>> = { lolo: -2, lo: -1, hi: 1, hihi: 2 }

/**
 * The outermost step of a ladder that holds. A step that was reached or passed is left at its clear level, so a value
 * that falls from hihi goes back to hi at the clear level of hihi, and to normal at that of hi.
 */
export function ladder(
  value: number,
  steps: Readonly<Partial<Record<StepName, Step>>>,
  active: string | null,
): StepName | null {
  const { hihi, hi, lolo, lo } = steps
  const reached = active === null ? 0 : (REACH[active as StepName] ?? 0)
  if (hihi && isAbove(value, hihi, reached >= REACH.hihi)) return 'hihi'
  if (hi && isAbove(value, hi, reached >= REACH.hi)) return 'hi'
  if (lolo && isBelow(value, lolo, reached <= REACH.lolo)) return 'lolo'
  if (lo && isBelow(value, lo, reached <= REACH.lo)) return 'lo'
  return null
}
