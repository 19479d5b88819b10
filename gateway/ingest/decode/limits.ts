import type { Bytes, Millis } from '../../../sync/contract/index.ts'

/** What a deployment decides about payloads. */
export interface DecodeLimits {
  readonly maxPayload: Bytes
  readonly maxReadingsPerMessage: number
  /**
   * How far ahead of `received` a device's time may be. More, or `Infinity`, while the gateway's own clock is behind (`ClockWatch`):
   * otherwise it would make every right one look absurd.
   */
  readonly maxFuture: Millis
  /** How far behind `received` a device's time may be. */
  readonly maxAge: Millis
}

/** Longest text value, in UTF-16 units. */
export const MAX_TEXT = 1024

/** Longest `id` and `session`, in UTF-16 units. */
export const MAX_ID = 128

/**
 * Deepest nesting that is parsed at all. No form needs more than three (array, reading, labels); the rest is room to
 * refuse only the nested value and keep its neighbours.
 */
export const MAX_DEPTH = 8
