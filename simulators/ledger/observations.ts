import type { MetricLedger, SpoiledLedger } from './ledger.ts'
import { ObservedSeries } from './observed.ts'
import type { SeriesLedger } from './series.ts'

/** What was wrong with the records of one device. */
export interface DeviceFaults {
  doubled: number
  reordered: number
  invented: number
}

/** The stream's side of a metric whose readings cannot be told apart. */
export interface ObservedCount {
  stored: number
  deadLettered: number
}

/** The stream's side of a ledger: what was seen so far, beside what should be. Entries come into being when asked for. */
export class Observations {
  readonly #series = new Map<SeriesLedger, ObservedSeries>()
  readonly #counted = new Map<MetricLedger, ObservedCount>()
  readonly #spoiled = new Map<string, number>()
  readonly devices = new Map<string, DeviceFaults>()

  ofSeries(series: SeriesLedger): ObservedSeries {
    return getOrMake(this.#series, series, () => new ObservedSeries(series))
  }

  ofCounted(metric: MetricLedger): ObservedCount {
    return getOrMake(this.#counted, metric, () => ({ stored: 0, deadLettered: 0 }))
  }

  ofDevice(device: string): DeviceFaults {
    return getOrMake(this.devices, device, () => ({ doubled: 0, reordered: 0, invented: 0 }))
  }

  /** A spoiled payload turned up. @returns how many times by now */
  spoiled({ key }: SpoiledLedger): number {
    const seen = this.timesSpoiled(key) + 1
    this.#spoiled.set(key, seen)
    return seen
  }

  timesSpoiled(key: string): number {
    return this.#spoiled.get(key) ?? 0
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
