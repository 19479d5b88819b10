import type { Millis } from '../../sync/contract/index.ts'

/**
 * What a sensor would measure at a time (Unix milliseconds). Pure: the same time gives the same value, in whatever
 * order it is asked.
 */
export type Signal = (t: Millis) => number

export const constant =
  (value: number): Signal =>
  () =>
    value

/** Signals on top of each other: a cycle + a drift + noise + spikes is a sensor. */
export const sum =
  (...signals: readonly Signal[]): Signal =>
  (t) => {
    let total = 0
    for (const signal of signals) total += signal(t)
    return total
  }

export const scaled =
  (signal: Signal, factor: number): Signal =>
  (t) =>
    signal(t) * factor

/** A sensor at the end of its range reads the end of its range. */
export const saturated =
  (signal: Signal, low: number, high: number): Signal =>
  (t) =>
    Math.min(high, Math.max(low, signal(t)))

/** What an analogue-to-digital converter makes of it: multiples of `step`. */
export const quantized =
  (signal: Signal, step: number): Signal =>
  (t) =>
    Math.round(signal(t) / step) * step
