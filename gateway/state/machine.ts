import {
  DeadLetterError,
  decodeLine,
  type Offset,
  type Reading,
  type ThresholdEvent,
} from '../../sync/contract/index.ts'
import type { SnapshotSlice, StateKeeper, StoredState } from '../outbox/index.ts'
import type { RuleEngine } from '../rules/index.ts'
import { Series, type SeriesSnapshot } from './series.ts'

export interface MachineSettings {
  /** Ids or timestamps remembered for a series whose device does not count. */
  dedupeWindow: number
  /** Series remembered in all; beyond it the longest unused one is forgotten. */
  maxSeries: number
}

/** A start replays about this many records at most, */
const REPLAY_TARGET = 20_000
/** or, with many series, this many for each: a slice is larger than a record, and must not be written as often as one. */
const REPLAY_PER_SERIES = 4
/** Slices in one commit; more would hold it up. */
const MOST_SLICES = 2000

interface Entry {
  device: string
  metric: string
  series: Series
}

/**
 * The deterministic middle of the gateway: `apply(reading) -> events`, no clock, no I/O, no randomness. Its state is the
 * sum of the readings it was given, so a snapshot plus a replay of what came after rebuilds it exactly.
 *
 * Snapshots are incremental: every commit carries the series that changed longest ago. Series are independent of each
 * other, so slices of different age fit together: each says up to which record it is current.
 */
export class StateMachine implements StateKeeper {
  readonly #settings: MachineSettings
  readonly #rules: RuleEngine
  readonly #devices = new Map<string, Map<string, Entry>>()
  /** Series in the order in which they are considered for being forgotten. */
  readonly #queue = new Set<Entry>()
  /** Changed series, longest changed first, with the offset of the first record their stored slice lacks. */
  readonly #dirty = new Map<Entry, Offset>()
  #forgotten: string[] = []
  /** Share of a slice that is due, carried from commit to commit: at a trickle not every reading brings one along. */
  #due = 0

  constructor(settings: MachineSettings, rules: RuleEngine) {
    this.#settings = settings
    this.#rules = rules
  }

  /** Whether the reading is one that was taken in before. */
  isRepeat(reading: Reading, dup: boolean): boolean {
    return this.#find(reading)?.series.isRepeat(reading, dup) ?? false
  }

  /** Takes in a reading that is no repeat, as record `offset` of the readings lane. */
  apply(reading: Reading, offset: Offset): readonly ThresholdEvent[] {
    const entry = this.#find(reading)
    if (entry) {
      entry.series.apply(reading, offset, this.#settings.dedupeWindow)
      if (!this.#dirty.has(entry)) this.#dirty.set(entry, offset)
    } else {
      const series = Series.begin(reading, offset, this.#settings.dedupeWindow)
      this.#dirty.set(this.#insert(reading.device, reading.metric, series), offset)
    }
    return this.#rules.apply(reading)
  }

  /** The last reading of every series. */
  *lastReadings(): Iterable<Reading> {
    for (const { series } of this.#queue) yield series.last
  }

  get seriesCount(): number {
    return this.#queue.size
  }

  takeSlices(records: number): readonly SnapshotSlice[] {
    const slices: SnapshotSlice[] = this.#forgotten.map((name) => [name, null])
    this.#forgotten = []
    if (this.#dirty.size === 0) return slices
    this.#due += records * Math.min(this.#dirty.size / REPLAY_TARGET, 1 / REPLAY_PER_SERIES)
    let budget = Math.min(Math.floor(this.#due), MOST_SLICES)
    this.#due = Math.min(this.#due - budget, this.#dirty.size)
    for (const entry of this.#dirty.keys()) {
      if (budget-- <= 0) break
      this.#dirty.delete(entry)
      slices.push([nameOf(entry), Buffer.from(JSON.stringify(entry.series))])
    }
    return slices
  }

  replayFrom(head: Offset): Offset {
    for (const offset of this.#dirty.values()) return offset
    return head
  }

  async rebuild(stored: StoredState): Promise<void> {
    this.#devices.clear()
    this.#queue.clear()
    this.#dirty.clear()
    this.#forgotten = []
    this.#due = 0
    for await (const [, value] of stored.slices()) {
      const snapshot = JSON.parse(value.toString('utf8')) as SeriesSnapshot
      this.#insert(snapshot.last.device, snapshot.last.metric, Series.restore(snapshot))
    }
    for await (const [offset, line] of stored.records()) {
      const reading = readable(line)
      if (!reading) continue
      const known = this.#find(reading)
      if (!known || known.series.appliedTo <= offset) this.apply(reading, offset)
    }
  }

  #find(reading: Reading): Entry | undefined {
    return this.#devices.get(reading.device)?.get(reading.metric)
  }

  #insert(device: string, metric: string, series: Series): Entry {
    const entry = { device, metric, series }
    let metrics = this.#devices.get(device)
    if (!metrics) {
      metrics = new Map()
      this.#devices.set(device, metrics)
    }
    metrics.set(metric, entry)
    this.#queue.add(entry)
    if (this.#queue.size > this.#settings.maxSeries) this.#forgetOne()
    return entry
  }

  /** Second chance: whatever was used since it was last looked at goes to the end of the queue. */
  #forgetOne(): void {
    for (const entry of this.#queue) {
      this.#queue.delete(entry)
      if (entry.series.used) {
        entry.series.used = false
        this.#queue.add(entry)
        continue
      }
      const metrics = this.#devices.get(entry.device)
      metrics?.delete(entry.metric)
      if (metrics?.size === 0) this.#devices.delete(entry.device)
      this.#dirty.delete(entry)
      this.#forgotten.push(nameOf(entry))
      return
    }
  }
}

/** Names may hold any character, so the separator must be one that is escaped in them. */
const nameOf = ({ device, metric }: Entry): string => JSON.stringify([device, metric])

/** A line that a later or earlier version wrote, and this one does not take for a reading, must not keep a gateway down. */
function readable(line: string): Reading | null {
  try {
    return decodeLine(line)
  } catch (error) {
    if (error instanceof DeadLetterError) return null
    throw error
  }
}
