import type { Millis } from '../../../sync/contract/index.ts'
import type { Limit } from '../rule.ts'
import { isAbove } from './levels.ts'

/** What a rate is computed from: newest last. The first is the newest that is at least `over` old, if there is one. */
export interface RateState {
  points: [time: Millis, value: number][]
}

/** A fast series is thinned to about this many points in its window. */
const POINTS = 64

/**
 * Change of the value in `per` milliseconds, measured from the last reading that is at least `over` old. Until the readings reach
 * back half of that, the rate is unknown (null): two readings shortly after each other say little about it.
 */
export function rateOf(state: RateState, time: Millis, value: number, per: Millis, over: Millis): number | null {
  const { points } = state
  while (points.length > 1 && (points[1]?.[0] ?? time) <= time - over) points.shift()
  const base = points[0]
  const newest = points.at(-1)
  const before = points.at(-2)
  // Of readings of one moment the last one says what the value was. Else the newest point is replaced as long as it is close to
  // the one before it.
  const isReplaced = newest && (newest[0] === time || (before && newest[0] - before[0] < over / POINTS))
  if (isReplaced) points[points.length - 1] = [time, value]
  else points.push([time, value])
  if (!base || time - base[0] < over / 2 || time === base[0]) return null
  return ((value - base[1]) / (time - base[0])) * per
}

/** Rising or falling too fast. */
export function tooFast(
  rate: number,
  rise: Limit | null,
  fall: Limit | null,
  active: string | null,
): 'rise' | 'fall' | null {
  if (rise && isAbove(rate, rise, active === 'rise')) return 'rise'
  if (fall && isAbove(-rate, fall, active === 'fall')) return 'fall'
  return null
}
