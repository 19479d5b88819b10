import type { ReadingValue } from '../../../sync/contract/index.ts'
import { MAX_NAME, nameFault, type TopicMatch, textFault } from '../topics/index.ts'
import { type DecodeProblem, problem, show } from './codes.ts'
import { MAX_TEXT } from './limits.ts'

/** A JSON value as the value of a reading, or what keeps it from being one. */
export function readValue(value: unknown): ReadingValue | DecodeProblem {
  switch (typeof value) {
    case 'number':
      // Adding zero makes 0 of -0, which JSON cannot say: a reading replayed from its line must equal the first one.
      if (Number.isFinite(value)) return value + 0
      return problem('VALUE_NOT_FINITE', 'expected a finite number, got NaN, an infinity or a number beyond 1.8e308')
    case 'boolean':
      return value
    case 'string': {
      const fault = value === '' ? null : textFault(value, MAX_TEXT, true)
      return fault === null ? value : problem('VALUE_TEXT_INVALID', `the text ${fault}`)
    }
    default:
      if (value === null) return problem('VALUE_MISSING', 'expected a value, got null')
      return problem('VALUE_TYPE', `expected a number, true, false or a text, got ${show(value)}`)
  }
}

/**
 * A metric that the payload names, within the scope that the topic names: `env` and `temp` give `env.temp`. A payload that
 * only repeats what the topic says changes nothing.
 */
export function metricName(scope: string | null, name: unknown): string | DecodeProblem {
  if (typeof name !== 'string') return problem('METRIC_INVALID', `metric: expected a text, got ${show(name)}`)
  const metric = scope === null || scope === name ? name : `${scope}.${name}`
  const fault = nameFault(name) ?? (metric.length > MAX_NAME ? textFault(metric, MAX_NAME) : null)
  return fault === null ? metric : problem('METRIC_INVALID', `metric ${show(metric)} ${fault}`)
}

/** The metric of a value for which the payload names none. */
export function ownMetric(match: TopicMatch): string | DecodeProblem {
  if (match.metric !== null) return match.metric
  return problem(
    'METRIC_MISSING',
    "neither topic nor payload name a metric: put {metric} or 'metric: NAME' into the topic template, or send 'metric'",
  )
}
