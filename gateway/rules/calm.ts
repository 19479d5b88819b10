import type { Millis, Reading } from '../../sync/contract/index.ts'
import type { Alarm } from './alarm.ts'
import type { Band } from './condition/index.ts'
import { earliest } from './earliest.ts'

/**
 * What leaves alarms as they are: nearly every reading of nearly every series, and to find that out by one comparison costs a fraction of
 * asking each alarm.
 */
export interface Calm extends Band {
  /** Nothing happens before the series was silent for so long; null: however long. */
  silence: Millis | null
}

/** What leaves every one of them as it is; null when there is no telling. */
export function calmOf(alarms: readonly Alarm[]): Calm | null {
  const all: Calm = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY, silence: null }
  for (const { calm } of alarms) {
    if (calm === null) return null
    all.from = Math.max(all.from, calm.from)
    all.to = Math.min(all.to, calm.to)
    all.silence = earliest(all.silence, calm.silence)
  }
  return all
}

/** What its device does not trust is not looked at like others. */
export const isCalm = ({ from, to }: Calm, { value, quality }: Reading): boolean =>
  typeof value === 'number' && value >= from && value <= to && quality !== 'bad'
