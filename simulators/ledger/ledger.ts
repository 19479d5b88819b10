import { crc32 } from 'node:zlib'
import type { Millis } from '../../sync/contract/index.ts'
import { type SeriesKey, SeriesLedger, type SeriesListener, type SeriesName } from './series.ts'

/** Readings that cannot be told apart (a bare number has no counter and no timestamp): only how many there were. */
export interface CountedLedger {
  readonly device: string
  readonly metric: string
  attempted: number
  acknowledged: number
}

/** A payload that cannot become a reading, and has to turn up among the dead letters. */
export interface SpoiledLedger {
  readonly device: string
  readonly topic: string
  /** `spoiledKey` of topic and payload. */
  readonly key: string
  attempted: number
  acknowledged: number
}

/** Whose topic it is; `metric` is absent where the payload names the metrics. */
export interface TopicOwner {
  device: string
  metric?: string
}

/** Told everything that a ledger records, as it records it. */
export interface LedgerListener extends SeriesListener {
  run(run: string): void
  series(series: SeriesLedger): void
  topic(topic: string, owner: TopicOwner): void
  counted(entry: CountedLedger, attempted: number, acknowledged: number): void
  spoiled(entry: SpoiledLedger, attempted: number, acknowledged: number): void
}

/** Everything the ledger knows about one metric of one device. */
export interface MetricLedger {
  readonly bySession: Map<string, SeriesLedger>
  byTime?: SeriesLedger
  counted?: CountedLedger
}

/** What a payload is recognised by among dead letters. */
export const spoiledKey = (topic: string, payload: Uint8Array): string =>
  `${topic}\n${payload.length}:${(crc32(payload) >>> 0).toString(16)}`

/**
 * What the simulated devices sent, and what of it was acknowledged: the side of the truth that the central stream is checked
 * against. About 4 bytes a reading while the counters have few holes.
 */
export class Ledger {
  /** When the first device began to send: what was received before it is not this ledger's business. */
  startedAt: Millis
  /** True when the ledger was read from a file whose writer did not live to close it: its newest entries may be missing. */
  truncated = false
  /**
   * Prefixes of the session names that this ledger's devices use. Sessions of other runs of the simulators, found in the same
   * stream under the same device names, are none of this ledger's business either.
   */
  readonly runs = new Set<string>()
  readonly devices = new Map<string, Map<string, MetricLedger>>()
  readonly topics = new Map<string, TopicOwner>()
  readonly spoiledEntries = new Map<string, SpoiledLedger>()
  readonly #listener: LedgerListener | undefined
  #seriesCount = 0

  constructor(options: { startedAt: Millis; listener?: LedgerListener }) {
    this.startedAt = options.startedAt
    this.#listener = options.listener
  }

  /** A run of the simulators: sessions named `RUN` or `RUN-...` are its own. */
  addRun(run: string): void {
    if (this.runs.has(run)) return
    this.runs.add(run)
    this.#listener?.run(run)
  }

  ownsSession(session: string): boolean {
    if (session === '' || this.runs.has(session)) return true
    for (let dash = session.indexOf('-'); dash > 0; dash = session.indexOf('-', dash + 1)) {
      if (this.runs.has(session.slice(0, dash))) return true
    }
    return false
  }

  /** The readings of one metric of one device in one life of its counter. */
  series(name: SeriesName): SeriesLedger {
    const metric = this.#metric(name)
    const known = metric.bySession.get(name.session)
    if (known !== undefined) return known
    const series = this.#newSeries('seq', name)
    metric.bySession.set(name.session, series)
    return series
  }

  /** The readings of a metric whose device gives a timestamp but no counter. */
  timedSeries(name: { device: string; metric: string }): SeriesLedger {
    const metric = this.#metric(name)
    metric.byTime ??= this.#newSeries('time', { ...name, session: '' })
    return metric.byTime
  }

  /** Records readings of a metric whose payload has neither counter nor timestamp. */
  count(name: { device: string; metric: string }, attempted: number, acknowledged: number): void {
    const metric = this.#metric(name)
    metric.counted ??= { device: name.device, metric: name.metric, attempted: 0, acknowledged: 0 }
    metric.counted.attempted += attempted
    metric.counted.acknowledged += acknowledged
    this.#listener?.counted(metric.counted, attempted, acknowledged)
  }

  /** Records a payload (by its `spoiledKey`) that no gateway can decode. */
  countSpoiled(entry: { device: string; topic: string; key: string }, attempted: number, acknowledged: number): void {
    let known = this.spoiledEntries.get(entry.key)
    if (known === undefined) {
      known = { ...entry, attempted: 0, acknowledged: 0 }
      this.spoiledEntries.set(entry.key, known)
    }
    known.attempted += attempted
    known.acknowledged += acknowledged
    this.#listener?.spoiled(known, attempted, acknowledged)
  }

  /** Says who publishes on a topic, so that a dead letter finds its device. */
  addTopic(topic: string, owner: TopicOwner): void {
    if (this.topics.has(topic)) return
    this.topics.set(topic, owner)
    this.#listener?.topic(topic, owner)
  }

  *allSeries(): Generator<SeriesLedger> {
    for (const metrics of this.devices.values()) {
      for (const metric of metrics.values()) {
        yield* metric.bySession.values()
        if (metric.byTime !== undefined) yield metric.byTime
      }
    }
  }

  *allCounted(): Generator<CountedLedger> {
    for (const metrics of this.devices.values()) {
      for (const metric of metrics.values()) if (metric.counted !== undefined) yield metric.counted
    }
  }

  /** Readings and spoiled payloads sent, and acknowledged, so far. */
  totals(): { attempted: number; acknowledged: number } {
    const totals = { attempted: 0, acknowledged: 0 }
    for (const series of this.allSeries()) {
      totals.attempted += series.attempted.size
      totals.acknowledged += series.acknowledged.size
    }
    for (const entries of [this.allCounted(), this.spoiledEntries.values()]) {
      for (const { attempted, acknowledged } of entries) {
        totals.attempted += attempted
        totals.acknowledged += acknowledged
      }
    }
    return totals
  }

  #metric(name: { device: string; metric: string }): MetricLedger {
    let metrics = this.devices.get(name.device)
    if (metrics === undefined) {
      metrics = new Map()
      this.devices.set(name.device, metrics)
    }
    let metric = metrics.get(name.metric)
    if (metric === undefined) {
      metric = { bySession: new Map() }
      metrics.set(name.metric, metric)
    }
    return metric
  }

  #newSeries(key: SeriesKey, name: SeriesName): SeriesLedger {
    const series = new SeriesLedger(this.#seriesCount++, key, name, this.#listener)
    this.#listener?.series(series)
    return series
  }
}
