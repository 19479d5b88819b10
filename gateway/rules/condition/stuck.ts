import type { Millis, ReadingValue } from '../../../sync/contract/index.ts'

/** The value that later ones are compared with, and since when they are like it. */
export interface StuckState {
  value: ReadingValue
  since: Millis
}

/** Whether the value is still about what it was when it last moved. */
export function isLike(state: StuckState, value: ReadingValue, tolerance: number): boolean {
  if (typeof state.value === 'number' && typeof value === 'number') return Math.abs(value - state.value) <= tolerance
  return state.value === value
}
