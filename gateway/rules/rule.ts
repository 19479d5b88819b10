import type { Millis } from '../../sync/contract/index.ts'
import type { FloodLimit } from './flood.ts'

/** How urgent an alarm is, most urgent first (ISA-18.2: priority). */
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const
export type Severity = (typeof SEVERITIES)[number]

/**
 * What a rule, or an override of it, is about. Patterns: `*` stands for any characters. Every part that is given must fit; a
 * device without a label does not fit a pattern for that label.
 */
export interface Match {
  device: string
  metric: string
  labels: Readonly<Record<string, string>>
}

/** Where an alarm is raised and where it clears; in between it stays as it is (hysteresis, ISA-18.2 "deadband"). */
export interface Limit {
  raise: number
  clear: number
}

/** One step of a ladder, with a severity of its own. */
export interface Step extends Limit {
  severity: Severity
}

/** Steps of a ladder, from the lowest value to the highest. */
export const STEPS = ['lolo', 'lo', 'hi', 'hihi'] as const
export type StepName = (typeof STEPS)[number]

/** What is looked for in the readings of one series (`when`: of several metrics of one device). Durations are event time. */
export type Condition =
  | { kind: 'above'; limit: Limit }
  | { kind: 'below'; limit: Limit }
  | { kind: 'outside'; low: Limit; high: Limit }
  | { kind: 'inside'; low: Limit; high: Limit }
  | { kind: 'ladder'; steps: Readonly<Partial<Record<StepName, Step>>> }
  /** Change in `per` milliseconds, measured over the last `over`. */
  | { kind: 'rate'; rise: Limit | null; fall: Limit | null; per: Millis; over: Millis }
  /** Within `tolerance` of where it was, for `after`. */
  | { kind: 'stuck'; tolerance: number; after: Millis }
  /** Nothing heard for `after`. */
  | { kind: 'missing'; after: Millis }
  /** Standard deviations from an exponentially weighted mean; nothing is decided in the first `warmup` readings. */
  | { kind: 'deviation'; limit: Limit; alpha: number; warmup: number; floor: number }
  | { kind: 'when'; all: Test }

/** A condition over the newest values of a device's metrics. */
export type Test =
  | { all: readonly Test[] }
  | { any: readonly Test[] }
  | { not: Test }
  | { metric: string; above: Limit }
  | { metric: string; below: Limit }
  | { metric: string; is: number | boolean | string }

/** A rule as it holds for one series: its overrides are applied. */
export interface Rule {
  id: string
  enabled: boolean
  severity: Severity
  /** Text with `{device}`, `{metric}`, `{value}`, `{unit}`, `{limit}`, `{condition}`, `{kind}` (raised, cleared ...), and `{label.NAME}`. */
  message: string
  labels: Readonly<Record<string, string>>
  condition: Condition
  /** The condition must hold this long before the alarm is raised (ISA-18.2 "on-delay"). */
  for: Millis
  /** It must be gone this long before the alarm clears ("off-delay"). */
  clearFor: Millis
  /** At least `m` of the last `n` readings must show it. */
  of: { m: number; n: number } | null
  /** Once cleared it stays until somebody resets it. */
  latch: boolean
  /** An alarm that cleared is not raised again within this time. */
  reraiseAfter: Millis
  /** When its alarms together are a flood; null = never. */
  flood: FloodLimit | null
}
