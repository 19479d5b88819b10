import type { ReadingValue } from '../../../sync/contract/index.ts'
import type { Test } from '../rule.ts'
import { isAbove, isBelow } from './levels.ts'

/** The newest value of each metric of the device that the tests ask for. */
export type Values = Readonly<Record<string, ReadingValue>>

/**
 * Whether a test holds. Once the alarm is active, each limit in it is left at its clear level. A metric that was never heard of
 * makes its test neither true nor false: what depends on it does not hold.
 */
export function holds(test: Test, values: Values, active: boolean): boolean {
  return truth(test, values, active) === true
}

/** Three-valued (Kleene): null = unknown. */
function truth(test: Test, values: Values, active: boolean): boolean | null {
  if ('all' in test) return every(test.all.map((part) => truth(part, values, active)))
  if ('any' in test) {
    const none = every(test.any.map((part) => negate(truth(part, values, active))))
    return negate(none)
  }
  if ('not' in test) return negate(truth(test.not, values, !active))
  const value = Object.hasOwn(values, test.metric) ? values[test.metric] : undefined
  if (value === undefined) return null
  if ('is' in test) return value === test.is
  const number = typeof value === 'boolean' ? Number(value) : value
  if (typeof number === 'string') return null
  return 'above' in test ? isAbove(number, test.above, active) : isBelow(number, test.below, active)
}

const negate = (truth: boolean | null): boolean | null => (truth === null ? null : !truth)

function every(truths: readonly (boolean | null)[]): boolean | null {
  if (truths.includes(false)) return false
  return truths.includes(null) ? null : true
}

/** The metrics that a test asks for. */
export function metricsOf(test: Test): string[] {
  if ('all' in test) return test.all.flatMap(metricsOf)
  if ('any' in test) return test.any.flatMap(metricsOf)
  return 'not' in test ? metricsOf(test.not) : [test.metric]
}
