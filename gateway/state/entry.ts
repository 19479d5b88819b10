import { Heard, type Origin, OWN, type StoredHeard } from '../rules/index.ts'
import { Series, type SeriesSnapshot } from './series.ts'
import type { Part } from './slices.ts'

/** What is stored of a series, beside what it remembers. */
export interface StoredSeries extends SeriesSnapshot {
  /** The home of its device: absent when that is this gateway. */
  via?: Origin | undefined
  /** Up to which record of each peer's lane this knows everything. */
  heardTo?: StoredHeard | undefined
}

/** A series as a part of the snapshot. */
export class Entry implements Part {
  readonly device: string
  readonly metric: string
  readonly series: Series
  readonly name: string
  readonly heardTo: Heard
  /** Whom the device spoke to last: an origin of a peer, or this gateway. All series of a device have the same. */
  via: Origin
  dirty: Origin | null = null

  constructor(device: string, metric: string, series: Series, via: Origin, heardTo: Heard) {
    this.device = device
    this.metric = metric
    this.series = series
    this.via = via
    this.heardTo = heardTo
    // Names may hold any character, so the separator must be one that is escaped in them.
    this.name = JSON.stringify([device, metric])
  }

  static restore(stored: StoredSeries): Entry {
    const { last, via = OWN, heardTo } = stored
    return new Entry(last.device, last.metric, Series.restore(stored), via, new Heard(heardTo))
  }

  toJSON(): StoredSeries {
    const stored: StoredSeries = this.series.toJSON()
    if (this.via !== OWN) stored.via = this.via
    const heardTo = this.heardTo.toJSON()
    if (heardTo) stored.heardTo = heardTo
    return stored
  }
}
