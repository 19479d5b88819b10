import { type ReadingValue, TidegateError } from '../../sync/contract/index.ts'
import { FingerprintStore, fingerprint } from './fingerprint.ts'
import { IntervalSet } from './interval-set.ts'

/**
 * By what a series tells its readings apart: the device's own counter, or (for forms without one, as SenML) the device's
 * timestamp in milliseconds.
 */
export type SeriesKey = 'seq' | 'time'

export interface SeriesName {
  device: string
  metric: string
  /** Life of the device's counter; empty when the device does not say, and for series keyed by time. */
  session: string
}

/** Told what a series records, as it records it: the file that outlives the process. */
export interface SeriesListener {
  attempted(series: SeriesLedger, key: number, valueFingerprint: number): void
  attemptedRange(series: SeriesLedger, from: number, to: number): void
  acknowledged(series: SeriesLedger, from: number, to: number): void
}

/**
 * Distance of two late readings in the order of sending. Small enough for a thousand of them between two neighbours,
 * large enough to survive beside a timestamp in a double; the ones beyond a thousand share a position (and so are not told apart).
 */
const LATE_STEP = 2 ** -10

/** What one device sent of one metric in one session, and what of it was acknowledged. */
export class SeriesLedger implements SeriesName {
  readonly id: number
  readonly key: SeriesKey
  readonly device: string
  readonly metric: string
  readonly session: string
  readonly attempted = new IntervalSet()
  readonly acknowledged = new IntervalSet()
  readonly #values: { set(key: number, value: number): void; get(key: number): number | undefined }
  /** Where a reading stands in the order of first attempts, for those whose key does not say it. */
  readonly #late = new Map<number, number>()
  #latestPosition = -1
  readonly #listener: SeriesListener | undefined

  constructor(id: number, key: SeriesKey, name: SeriesName, listener?: SeriesListener) {
    this.id = id
    this.key = key
    this.device = name.device
    this.metric = name.metric
    this.session = name.session
    this.#listener = listener
    // Timestamps leave holes that would make chunks of them mostly empty.
    this.#values = key === 'seq' ? new FingerprintStore() : new Map<number, number>()
  }

  /**
   * The device hands a reading to its connection. Call it in the order of sending, before the first byte leaves; a repeat of
   * the same key changes nothing.
   */
  attempt(key: number, value: ReadingValue): void {
    this.attemptFingerprint(key, fingerprint(value))
  }

  /** `attempt` for whoever has only the fingerprint left (0 = value not known). */
  attemptFingerprint(key: number, valueFingerprint: number): void {
    const newest = this.attempted.max
    if (!this.attempted.add(key)) return
    if (key < newest) this.#late.set(key, this.#positionAfter(newest))
    if (valueFingerprint !== 0) this.#values.set(key, valueFingerprint)
    this.#listener?.attempted(this, key, valueFingerprint)
  }

  /** Readings from..to (both included) sent in this order, their values not recorded: what a load generator does. */
  attemptRange(from: number, to: number): void {
    if (from <= this.attempted.max) {
      throw new TidegateError(
        'LEDGER_RANGE_NOT_NEW',
        `a range must begin after everything that was attempted (${this.attempted.max}), not at ${from}`,
      )
    }
    this.attempted.addRange(from, to)
    this.#listener?.attemptedRange(this, from, to)
  }

  /** The gateway acknowledged these (QoS 1: PUBACK, QoS 2: PUBCOMP): from now on it may not lose them. */
  acknowledge(from: number, to: number = from): void {
    if (!this.attempted.has(from) || !this.attempted.has(to)) {
      throw new TidegateError(
        'LEDGER_ACK_UNKNOWN',
        `only what was attempted can be acknowledged; ${from}-${to} of ${this.device}/${this.metric} was not`,
      )
    }
    if (this.acknowledged.addRange(from, to) > 0) this.#listener?.acknowledged(this, from, to)
  }

  /**
   * Where the reading stands in the order of first attempts: its key, unless it was sent after a larger one; then just
   * after the largest that was sent before it. Comparable within the series only.
   */
  sendPosition(key: number): number {
    return this.#late.size === 0 ? key : (this.#late.get(key) ?? key)
  }

  /** Is this the value that was sent? True when the ledger does not know the value. */
  matches(key: number, value: ReadingValue): boolean {
    const expected = this.#values.get(key) ?? 0
    return expected === 0 || expected === fingerprint(value)
  }

  #positionAfter(newest: number): number {
    const before = Math.max(this.#latestPosition, newest)
    this.#latestPosition = Math.min(before + LATE_STEP, newest + 1 - LATE_STEP)
    return this.#latestPosition
  }
}
