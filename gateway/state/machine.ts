import {
  DeadLetterError,
  decodeLine,
  type Millis,
  type Offset,
  type Reading,
  type ThresholdEvent,
} from '../../sync/contract/index.ts'
import type { SnapshotSlice, StateKeeper, StoredState } from '../outbox/index.ts'
import {
  type Action,
  type ActionNote,
  type AlarmView,
  Engine,
  RuleSet,
  type RuleSetInput,
  type StoredEngine,
} from '../rules/index.ts'
import { partKind } from './part-names.ts'
import { type NamedRules, RuleBook } from './rule-book.ts'
import { Series, type SeriesSnapshot } from './series.ts'
import { Slices } from './slices.ts'

export interface MachineSettings {
  /** Ids or timestamps remembered for a series whose device does not count. */
  dedupeWindow: number
  /** Series remembered in all; beyond it the longest unused one is forgotten. */
  maxSeries: number
  /** Its name, for what it tells of itself. */
  gateway: string
}

/** A series as a part of the snapshot. */
class Entry {
  readonly device: string
  readonly metric: string
  readonly series: Series
  readonly name: string
  dirty = false

  constructor(device: string, metric: string, series: Series) {
    this.device = device
    this.metric = metric
    this.series = series
    // Names may hold any character, so the separator must be one that is escaped in them.
    this.name = JSON.stringify([device, metric])
  }

  toJSON(): SeriesSnapshot {
    return this.series.toJSON()
  }
}

/**
 * The deterministic middle of the gateway: `apply(reading) -> events`, no clock, no I/O, no randomness. Its state is the
 * sum of the readings it was given, so a snapshot plus a replay of what came after rebuilds it exactly. What is decided
 * without a reading (by time, by people, by other rules) is stored with the events that tell of it.
 */
export class StateMachine implements StateKeeper {
  readonly #settings: MachineSettings
  readonly #slices = new Slices()
  readonly #rules: RuleBook
  #engine: Engine
  readonly #devices = new Map<string, Map<string, Entry>>()
  /** Series in the order in which they are considered for being forgotten. */
  readonly #queue = new Set<Entry>()

  constructor(settings: MachineSettings) {
    this.#settings = settings
    this.#rules = new RuleBook(settings.gateway)
    this.#engine = this.#engineOf(new RuleSet())
  }

  /** Whether the reading is one that was taken in before. */
  isRepeat(reading: Reading, dup: boolean): boolean {
    return this.#find(reading)?.series.isRepeat(reading, dup) ?? false
  }

  /** Takes in a reading that is no repeat, as record `offset` of the readings lane. */
  apply(reading: Reading, offset: Offset): readonly ThresholdEvent[] {
    const era = this.#rules.era.from
    const forgotten = this.#remember(reading, offset)
    const events = this.#engine.apply(reading, offset)
    if (forgotten) events.push(...this.#engine.forget(forgotten.device, forgotten.metric))
    if (this.#rules.era.from !== era) this.#slices.changed(this.#rules, null, true)
    return events
  }

  /** The gateway's clock has come to `now`: what was due happens. */
  advance(now: Millis): readonly ThresholdEvent[] {
    return this.#engine.advance(now)
  }

  /** When `advance` has something to do; null when nothing is due ever. */
  get nextDue(): Millis | null {
    return this.#engine.nextDue
  }

  /**
   * What somebody does to an alarm, after everything that was due before.
   *
   * @returns `done`: null when that cannot be done in its state, undefined when there is no such alarm; `events`: all that is to be told
   */
  act(
    device: string,
    alarm: string,
    action: Action,
    at: Millis,
    note: ActionNote,
  ): { done: ThresholdEvent | null | undefined; events: readonly ThresholdEvent[] } {
    const events = this.#engine.advance(at)
    const done = this.#engine.act(device, alarm, action, at, note)
    return { done, events: done ? [...events, done] : events }
  }

  alarms(): Iterable<AlarmView> {
    return this.#engine.alarms()
  }

  /** All rules that hold. */
  get rules(): RuleSet {
    return this.#engine.rules
  }

  /** The sets that they come from. */
  get ruleSets(): ReadonlyMap<string, NamedRules> {
    return this.#rules.sets
  }

  /**
   * Replaces one set of rules.
   *
   * @param given as it was written, `input` what that says
   * @returns what is to be told; nothing when the set says what it said before
   */
  changeRules(set: string, given: unknown, input: RuleSetInput, at: Millis): readonly ThresholdEvent[] {
    const before = this.#engine.advance(at)
    const change = this.#rules.change(set, given, input, at)
    if (!change) return before
    this.#slices.changed(this.#rules, null, true)
    return [...before, change, ...this.#engine.useRules(this.#rules.compile(), this.lastReadings(), at)]
  }

  /** The last reading of every series. */
  *lastReadings(): Iterable<Reading> {
    for (const { series } of this.#queue) yield series.last
  }

  get seriesCount(): number {
    return this.#queue.size
  }

  takeSlices(records: number): readonly SnapshotSlice[] {
    return this.#slices.take(records)
  }

  replayFrom(head: Offset): Offset {
    return this.#slices.replayFrom(head)
  }

  /** Call `resume` before anything else is asked of it. */
  async rebuild(stored: StoredState): Promise<void> {
    this.#devices.clear()
    this.#queue.clear()
    this.#slices.clear()
    this.#rules.clear()
    const groups = new Map<string, StoredPart>()
    for await (const [name, value] of stored.slices()) {
      const snapshot: unknown = JSON.parse(value.toString('utf8'))
      const kind = partKind(name)
      if (kind === 'rules') this.#rules.restore(snapshot)
      else if (kind !== 'series') groups.set(name, snapshot as StoredPart)
      else {
        const { last } = snapshot as SeriesSnapshot
        this.#insert(new Entry(last.device, last.metric, Series.restore(snapshot as SeriesSnapshot)))
      }
    }
    this.#engine = this.#engineOf(this.#rules.compile())
    this.#engine.restore(groups)
    for await (const [offset, line] of stored.records()) {
      const reading = readable(line)
      if (!reading) continue
      const known = this.#find(reading)
      if (!known || known.series.appliedTo <= offset) this.#remember(reading, offset)
      this.#engine.repeat(reading, offset)
    }
  }

  /** What was rebuilt goes on at `now`. */
  resume(now: Millis): void {
    this.#engine.resume(now, this.lastReadings())
  }

  #engineOf(rules: RuleSet): Engine {
    return new Engine(rules, this.#slices, this.#rules.era, this.#rules.device)
  }

  /** @returns the series that had to be forgotten for it */
  #remember(reading: Reading, offset: Offset): Entry | null {
    const entry = this.#find(reading)
    if (entry) {
      entry.series.apply(reading, offset, this.#settings.dedupeWindow)
      this.#slices.changed(entry, offset)
      return null
    }
    const series = Series.begin(reading, offset, this.#settings.dedupeWindow)
    const fresh = new Entry(reading.device, reading.metric, series)
    this.#slices.changed(fresh, offset)
    return this.#insert(fresh)
  }

  #find(reading: Reading): Entry | undefined {
    return this.#devices.get(reading.device)?.get(reading.metric)
  }

  /** @returns the one that had to be forgotten for it */
  #insert(entry: Entry): Entry | null {
    const { device, metric } = entry
    let metrics = this.#devices.get(device)
    if (!metrics) {
      metrics = new Map()
      this.#devices.set(device, metrics)
    }
    metrics.set(metric, entry)
    this.#queue.add(entry)
    return this.#queue.size > this.#settings.maxSeries ? this.#forgetOne() : null
  }

  /** Second chance: whatever was used since it was last looked at goes to the end of the queue. */
  #forgetOne(): Entry | null {
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
      this.#slices.gone(entry.name)
      return entry
    }
    return null
  }
}

type StoredPart = StoredEngine extends ReadonlyMap<string, infer Part> ? Part : never

/** A line that a later or earlier version wrote, and this one does not take for a reading, must not keep a gateway down. */
function readable(line: string): Reading | null {
  try {
    return decodeLine(line)
  } catch (error) {
    if (error instanceof DeadLetterError) return null
    throw error
  }
}
