import { formatDuration } from '../../gateway/config/duration.ts'
import { type DeviationState, deviationOf } from '../../gateway/rules/condition/deviation.ts'
import { type RateState, rateOf } from '../../gateway/rules/condition/rate.ts'
import type { Condition, Limit, Test } from '../../gateway/rules/rule.ts'
import type { Millis, Reading } from '../../sync/contract/index.ts'
import type { Metric } from './scenes.ts'

/** What a picture shows above each other: one quantity with its levels. */
export interface Panel {
  title: string
  points: readonly Point[]
  /** Truth values: drawn as on and off. */
  isSwitch: boolean
  levels: readonly Level[]
}

export type Point = readonly [time: Millis, value: number]

/** A line that the quantity is compared with. */
export interface Level {
  label: string
  is: 'raise' | 'clear'
  /** One value, or where it is at each moment. */
  at: number | readonly Point[]
}

/** The panels of a metric under a condition. */
export function panelsOf(condition: Condition, metric: Metric, readings: readonly Reading[]): Panel[] {
  const own = readings.filter((reading) => reading.metric === metric.name)
  const points = own.map(({ time, received, value }): Point => [time ?? received, Number(value)])
  const title = metric.unit === undefined ? metric.name : `${metric.name} (${metric.unit})`
  const isSwitch = own.some(({ value }) => typeof value === 'boolean')
  const panel = { title, points, isSwitch, levels: levelsOf(condition, metric.name, points) }
  return condition.kind === 'rate' ? [panel, ratePanel(condition, points)] : [panel]
}

function levelsOf(condition: Condition, metric: string, points: readonly Point[]): Level[] {
  switch (condition.kind) {
    case 'above':
    case 'below':
      return pair(condition.limit)
    case 'outside':
    case 'inside':
      return [...pair(condition.high), ...pair(condition.low)]
    case 'ladder':
      return Object.entries(condition.steps).flatMap(([name, step]) => pair(step, name))
    case 'deviation':
      return deviationLevels(condition, points)
    case 'when':
      return testLevels(condition.all, metric)
    default:
      return []
  }
}

const pair = ({ raise, clear }: Limit, name = 'raise'): Level[] => [
  { label: `${name} ${raise}`, is: 'raise', at: raise },
  ...(clear === raise ? [] : [{ label: `clear ${clear}`, is: 'clear', at: clear } as const]),
]

function testLevels(test: Test, metric: string): Level[] {
  if ('all' in test) return test.all.flatMap((part) => testLevels(part, metric))
  if ('any' in test) return test.any.flatMap((part) => testLevels(part, metric))
  if ('not' in test) return testLevels(test.not, metric)
  if (test.metric !== metric || 'is' in test) return []
  return pair('above' in test ? test.above : test.below)
}

/** As far from the mean as it may be, at each moment: before that moment's reading is learned. */
function deviationLevels(condition: Extract<Condition, { kind: 'deviation' }>, points: readonly Point[]): Level[] {
  const state: DeviationState = { mean: 0, variance: 0, count: 0 }
  const known = points.flatMap(([time, value]) => {
    const { mean, variance, count } = state
    const sigma = Math.max(Math.sqrt(variance), condition.floor)
    deviationOf(state, value, condition)
    return count < condition.warmup ? [] : [{ time, mean, sigma }]
  })
  return (['raise', 'clear'] as const).flatMap((is) =>
    [1, -1].map((side): Level => {
      const far = side * condition.limit[is]
      const label = side > 0 ? `${is} ${condition.limit[is]} σ` : ''
      return { label, is, at: known.map(({ time, mean, sigma }) => [time, mean + far * sigma]) }
    }),
  )
}

function ratePanel({ rise, fall, per, over }: Extract<Condition, { kind: 'rate' }>, points: readonly Point[]): Panel {
  const state: RateState = { points: [] }
  const rates = points.flatMap(([time, value]): Point[] => {
    const rate = rateOf(state, time, value, per, over)
    return rate === null ? [] : [[time, rate]]
  })
  const levels = [...(rise ? pair(rise) : []), ...(fall ? pair({ raise: -fall.raise, clear: -fall.clear }) : [])]
  return { title: `change in ${formatDuration(per)}`, points: rates, isSwitch: false, levels }
}
