import type { Millis, ReadingValue } from '../../sync/contract/index.ts'
import type { Signal } from '../signals/index.ts'

/**
 * How a device writes its readings (each a form that a gateway must understand):
 * - `number`: a bare number, one publish a metric; no counter, no timestamp, so it can only be counted;
 * - `object`: `{value, time, unit, seq, ...}`, one publish a metric;
 * - `flat`: `{temperature: 21, humidity: 40, time, seq, ...}`, one publish for all metrics;
 * - `array`: several objects of one metric, sent together;
 * - `senml`: RFC 8428 JSON, one publish for all metrics; no counter, so told apart by timestamp.
 */
export type PayloadForm = 'number' | 'object' | 'flat' | 'array' | 'senml'

/** One quantity that a device measures. */
export interface Metric {
  metric: string
  unit: string
  /** Digits after the decimal point. */
  decimals: number
  signal: Signal
  /** Sends something else than the number: a truth value, a text. */
  convert?: (value: number) => ReadingValue
}

/** Chances, each for one sample (or publish) of one device; 0 when absent. */
export interface Misbehaviour {
  /** Falls silent for a time between the two bounds, without counting. */
  dropOut?: { chance: number; lasting: readonly [Millis, Millis] }
  /** Publishes the same reading (same `seq`) again. */
  duplicate?: number
  /** Holds a publish back until up to three later ones are out. */
  outOfOrder?: number
  /** Publishes something that no gateway can decode instead of the reading, which is gone (its `seq` is used up). */
  spoil?: number
  /** Starts again: forgets what it had not sent, counts from 0 in a new session. */
  restart?: number
  /** Its clock is wrong by `offset` and runs too fast by `drift` (parts per million). */
  clock?: { offset: Millis; drift?: number }
}

export interface DeviceSpec {
  device: string
  metrics: readonly Metric[]
  form?: PayloadForm
  qos?: 0 | 1 | 2
  /** `{device}` and, for forms with one metric a publish, `{metric}` are filled in. */
  topic?: string
  /** Names the life of its counter in every payload; true by default. Devices that restart must. */
  session?: boolean
  /** Readings of one metric in a publish of the `array` form. */
  batch?: number
  misbehaviour?: Misbehaviour
}

export const TOPIC = 'sensors/{device}/{metric}'
/** For forms whose payload names the metrics. */
export const GROUP_TOPIC = 'sensors/{device}'

export function fillTopic(template: string, device: string, metric: string): string {
  return template.replaceAll('{device}', device).replaceAll('{metric}', metric)
}
