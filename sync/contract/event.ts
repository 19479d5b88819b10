import type { Millis } from './units.ts'

/**
 * One transition of one alarm (device + rule). Transitions of an alarm are numbered 1, 2, 3, ...: transition n
 * can only follow n-1, which is what makes the event exactly-once however many gateways decide it.
 *
 * Numbers are those of one series of transitions, named by `since`: a gateway that lost its store knows nothing of what
 * was told before, and begins a new series.
 */
export interface ThresholdEvent {
  /** Deterministic: same rule, device, series of transitions and number give the same id on every gateway. */
  id: string
  device: string
  rule: string
  transition: number
  /** Time of transition 1, or a little later. */
  since: Millis
  /** CloudEvents `type`, e.g. `tidegate.alarm.raised`. */
  type: string
  time: Millis
  data: Readonly<Record<string, unknown>>
}
