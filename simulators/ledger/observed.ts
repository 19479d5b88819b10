import type { ReadingValue } from '../../sync/contract/index.ts'
import { IntervalSet } from './interval-set.ts'
import type { SeriesLedger } from './series.ts'

/** What one more copy of a reading in the stream turned out to be. */
export type Sighting = 'stored' | 'doubled' | 'reordered' | 'altered' | 'never-sent'

/**
 * The stream's side of one series of the ledger.
 *
 * A reading is **reordered** when, among the readings of its series that one origin (gateway and epoch) stored, it comes after
 * one that the device sent later. Sent means: first handed to the connection; devices (and the connections under them) repeat
 * what was not acknowledged in that same order, so every gateway sees first copies in it, whatever was cut, repeated, or moved to
 * the other gateway meanwhile. Readings that a device deliberately sends out of order are expected in the order in which it sent
 * them, not in the order of their counters. Between origins no order is promised, because a device that moves from one gateway to
 * another is stored by two that forward at their own pace; and a second copy of a reading is doubled, not reordered.
 */
export class ObservedSeries {
  readonly series: SeriesLedger
  readonly stored = new IntervalSet()
  readonly deadLettered = new IntervalSet()
  /** Furthest send position that each origin has stored. */
  readonly #furthest = new Map<string, number>()
  #origin = ''
  #furthestOfOrigin = -1

  constructor(series: SeriesLedger) {
    this.series = series
  }

  see(key: number, value: ReadingValue, origin: string): Sighting {
    const { series } = this
    if (!Number.isSafeInteger(key) || !series.attempted.has(key)) return 'never-sent'
    if (!this.stored.add(key)) return 'doubled'
    if (!series.matches(key, value)) return 'altered'
    if (origin !== this.#origin) {
      this.#furthest.set(this.#origin, this.#furthestOfOrigin)
      this.#origin = origin
      this.#furthestOfOrigin = this.#furthest.get(origin) ?? -1
    }
    const position = series.sendPosition(key)
    if (position < this.#furthestOfOrigin) return 'reordered'
    this.#furthestOfOrigin = position
    return 'stored'
  }

  /** Acknowledged, and neither in the stream nor among the dead letters. */
  missing(): IntervalSet {
    return this.series.acknowledged.without(this.stored, this.deadLettered)
  }
}
