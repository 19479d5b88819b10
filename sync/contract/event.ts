import type { Millis } from './units.ts'

/**
 * One transition of one alarm (device + rule). Transitions of an alarm are numbered 1, 2, 3, ...: transition n
 * can only follow n-1, which is what makes the event exactly-once however many gateways decide it.
 */
export interface ThresholdEvent {
  /** Deterministic: same rule, series and transition give the same id on every gateway. */
  id: string
  device: string
  rule: string
  transition: number
  /** CloudEvents `type`, e.g. `tidegate.alarm.raised`. */
  type: string
  time: Millis
  data: Readonly<Record<string, unknown>>
}
