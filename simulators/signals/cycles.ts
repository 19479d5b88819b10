import type { Millis } from '../../sync/contract/index.ts'
import type { Signal } from './signal.ts'

const HOUR: Millis = 3_600_000
const DAY: Millis = 24 * HOUR

export interface SineOptions {
  mean: number
  amplitude: number
  period: Millis
  /** Fraction of a period (0 to 1) by which the wave is early. */
  phase?: number
}

export function sine({ mean, amplitude, period, phase = 0 }: SineOptions): Signal {
  return (t) => mean + amplitude * Math.sin(2 * Math.PI * ((t % period) / period + phase))
}

export interface DailyCycleOptions {
  mean: number
  /** Half the distance between the day's warmest and coldest moment. */
  amplitude: number
  /** Hour (UTC) of the highest value. */
  peakHour?: number
}

/** The day's ups and downs: highest in the afternoon, lowest twelve hours away. */
export function dailyCycle({ mean, amplitude, peakHour = 14 }: DailyCycleOptions): Signal {
  return sine({ mean, amplitude, period: DAY, phase: 0.25 - (peakHour * HOUR) / DAY })
}
