import type { Millis, ReadingValue } from '../../../sync/contract/index.ts'

/** A reading as far as a condition sees it. */
export interface Sample {
  value: ReadingValue
  /** Event time: the device's, or the gateway's where the device gave none. */
  time: Millis
}

/** The value as a number: truth values count as 1 and 0, text as nothing. */
export function numeric({ value }: Sample): number | null {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  return null
}
