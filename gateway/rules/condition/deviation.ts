/** Exponentially weighted mean and variance. */
export interface DeviationState {
  mean: number
  variance: number
  count: number
}

/**
 * How many standard deviations `value` is from the mean of what came before, and learns it. Null during the warm-up.
 * Source of the recurrence: T. Finch, "Incremental calculation of weighted mean and variance" (2009), section 9.
 *
 * @param floor smallest standard deviation: what trembles less than that is not a deviation, however quiet it was before
 */
export function deviationOf(
  state: DeviationState,
  value: number,
  { alpha, warmup, floor }: { alpha: number; warmup: number; floor: number },
): number | null {
  const difference = value - state.mean
  const deviation = Math.max(Math.sqrt(state.variance), floor)
  const known = state.count >= warmup
  if (state.count === 0) state.mean = value
  else {
    const increment = alpha * difference
    state.mean += increment
    state.variance = (1 - alpha) * (state.variance + difference * increment)
  }
  state.count = Math.min(state.count + 1, Number.MAX_SAFE_INTEGER)
  if (!known) return null
  if (deviation === 0) return difference === 0 ? 0 : Number.POSITIVE_INFINITY
  return Math.abs(difference) / deviation
}
