import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import { fits, kindOf } from '../shared/index.ts'

/** The node's form. Patterns with `*`; empty = all. */
export interface EventFilter {
  device?: string
  rule?: string
  /** Kinds of event (`raised`, `cleared`, ...); none = all of alarms. */
  kinds?: readonly string[]
  /** Severities; none = all. */
  severities?: readonly string[]
  /** Also events that are not about an alarm: a rule set has changed. */
  others?: boolean
}

export function wanted(event: ThresholdEvent, filter: EventFilter): boolean {
  const { device = '', rule = '', kinds = [], severities = [], others = false } = filter
  const kind = kindOf(event)
  if (kind === null) return others
  const severity = event.data['severity']
  return (
    fits(device, event.device) &&
    fits(rule, event.rule) &&
    (kinds.length === 0 || kinds.includes(kind)) &&
    (severities.length === 0 || (typeof severity === 'string' && severities.includes(severity)))
  )
}
