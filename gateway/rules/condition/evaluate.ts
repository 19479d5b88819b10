import type { Condition } from '../rule.ts'
import { type DeviationState, deviationOf } from './deviation.ts'
import { isAbove, isBelow, isInside, ladder, outside } from './levels.ts'
import { type RateState, rateOf, tooFast } from './rate.ts'
import { numeric, type Sample } from './sample.ts'
import { isLike, type StuckState } from './stuck.ts'
import { holds, type Values } from './when.ts'

/** What a condition remembers of earlier readings; plain data, so that it can be stored. */
export type Memory = RateState | DeviationState | StuckState | { values: Record<string, Values[string]> } | null

/** What a condition begins with, at its first reading. */
export function freshMemory(condition: Condition, { value, time }: Sample): Memory {
  switch (condition.kind) {
    case 'rate':
      return { points: [] }
    case 'deviation':
      return { mean: 0, variance: 0, count: 0 }
    case 'stuck':
      return { value, since: time }
    case 'when':
      return { values: {} }
    default:
      return null
  }
}

/**
 * The condition that a reading shows: its name (`high`, `hihi`, `stuck`), null for none, undefined when the reading says nothing
 * about it (text where a number is needed, too little history): then everything stays as it is.
 *
 * @param memory what `freshMemory` or an earlier call left; changed in place
 * @param active the condition as it counts, for hysteresis
 */
export function evaluate(
  condition: Condition,
  memory: Memory,
  metric: string,
  sample: Sample,
  active: string | null,
): string | null | undefined {
  if (condition.kind === 'stuck') return stuck(condition, memory as StuckState, sample)
  if (condition.kind === 'when') {
    const { values } = memory as { values: Record<string, Values[string]> }
    values[metric] = sample.value
    return holds(condition.all, values, active !== null) ? 'true' : null
  }
  if (condition.kind === 'missing') return null
  const value = numeric(sample)
  if (value === null) return undefined
  switch (condition.kind) {
    case 'above':
      return isAbove(value, condition.limit, active !== null) ? 'high' : null
    case 'below':
      return isBelow(value, condition.limit, active !== null) ? 'low' : null
    case 'outside':
      return outside(value, condition.low, condition.high, active)
    case 'inside':
      return isInside(value, condition.low, condition.high, active !== null) ? 'inside' : null
    case 'ladder':
      return ladder(value, condition.steps, active)
    case 'rate': {
      const rate = rateOf(memory as RateState, sample.time, value, condition.per, condition.over)
      return rate === null ? undefined : tooFast(rate, condition.rise, condition.fall, active)
    }
    case 'deviation': {
      const deviation = deviationOf(memory as DeviationState, value, condition)
      if (deviation === null) return undefined
      return isAbove(deviation, condition.limit, active !== null) ? 'deviation' : null
    }
  }
}

function stuck(
  { tolerance, after }: Extract<Condition, { kind: 'stuck' }>,
  memory: StuckState,
  { value, time }: Sample,
): 'stuck' | null {
  if (!isLike(memory, value, tolerance)) {
    memory.value = value
    memory.since = time
  }
  return time - memory.since >= after ? 'stuck' : null
}
