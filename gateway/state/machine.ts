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
  Heard,
  isLater,
  type Origin,
  OWN,
  RuleSet,
  type RuleSetInput,
  SeriesMap,
  type StoredEngine,
} from '../rules/index.ts'
import { Entry, type StoredSeries } from './entry.ts'
import { FailoverBook, type FailoverChange } from './failover-book.ts'
import type { KnownSeries } from './known.ts'
import { partKind } from './part-names.ts'
import { type NamedRules, RuleBook } from './rule-book.ts'
import { Series } from './series.ts'
import { Slices } from './slices.ts'

export interface MachineSettings {
  /** Ids or timestamps remembered for a series whose device does not count. */
  dedupeWindow: number
  /** Series remembered in all; beyond it the longest unused one is forgotten. */
  maxSeries: number
  /** Its name, for what it tells of itself. */
  gateway: string
}

/**
 * The deterministic middle of the gateway: `apply(reading) -> events`, no clock, no I/O, no randomness. Its state is the
 * sum of the readings it was given, so a snapshot plus a replay of what came after rebuilds it exactly. What is decided
 * without a reading (by time, by people, by other rules) is stored with the events that tell of it.
 *
 * It also takes in what peers accepted, so that a device that moves here goes on as if it had been here all the time. Every device
 * has a *home*: whom it spoke to last. The home decides its alarms; the other gateways follow what they hear of it. The home is that
 * of the reading that the device said last (see `isLater`), so all that heard the same agree on it, in whatever order they heard it.
 */
export class StateMachine implements StateKeeper {
  readonly #settings: MachineSettings
  readonly #slices = new Slices()
  readonly #rules: RuleBook
  readonly #failover: FailoverBook
  #engine: Engine
  readonly #entries = new SeriesMap<Entry>()
  /** Series in the order in which they are considered for being forgotten. */
  readonly #queue = new Set<Entry>()
  /** How far the lanes of peers were heard. */
  #heard = new Heard()
  /** Gateways whose devices are decided here. */
  readonly #adopted = new Set<string>()

  constructor(settings: MachineSettings) {
    this.#settings = settings
    this.#rules = new RuleBook(settings.gateway)
    this.#failover = new FailoverBook(settings.gateway)
    this.#engine = this.#engineOf(new RuleSet())
  }

  /** Whether the reading is one that was taken in before. */
  isRepeat(reading: Reading, dup: boolean): boolean {
    return this.#find(reading)?.series.isRepeat(reading, dup) ?? false
  }

  /** Which life of its device's counter a reading is of that is said here and is no repeat: what `Reading.life` is to say. */
  lifeOf(reading: Reading): number {
    return this.#find(reading)?.series.lifeOf(reading) ?? 1
  }

  /** Takes in a reading that is no repeat, as record `offset` of the readings lane. */
  apply(reading: Reading, offset: Offset): readonly ThresholdEvent[] {
    const era = this.#rules.era.from
    this.#remember(reading, offset)
    const events = this.#engine.apply(reading, offset)
    if (this.#queue.size > this.#settings.maxSeries) this.#forgetSurplus(events)
    this.#keepEra(era)
    return events
  }

  /**
   * Takes in a reading that peer `origin` accepted as record `offset` of its readings lane.
   *
   * @returns whether it was a repeat of one that is known already: nothing comes of it
   */
  hear(origin: Origin, reading: Reading, offset: Offset): boolean {
    const era = this.#rules.era.from
    const isRepeat = this.#hear(origin, reading, offset)
    this.#keepEra(era)
    return isRepeat
  }

  /**
   * Takes in what a peer has told, record `offset` of its events lane. What tells of alarms of a device that was not heard of is lost:
   * hear first.
   *
   * @returns what is to be told of an alarm that is decided here, and that the peer took to be otherwise
   */
  heed(origin: Origin, event: ThresholdEvent, _offset: Offset): readonly ThresholdEvent[] {
    // A gateway tells of itself what concerns no other.
    if (event.device.startsWith('@')) return []
    const home = this.#homeOf(event.device)
    return this.#engine.heed(event, home !== undefined && home !== OWN && gatewayOf(home) === gatewayOf(origin))
  }

  /** All that is known of series, for a gateway that begins with nothing. */
  *known(): Iterable<KnownSeries> {
    for (const series of this.#entries.byDevice())
      for (const {
        device,
        metric,
        via,
        series: { last },
      } of series.values())
        yield { last, home: via, alarms: [...this.#engine.known(device, metric)] }
  }

  /** Takes that from a peer, `origin`. What is known here that is later stays. */
  learn(origin: Origin, { last, home: via, alarms }: KnownSeries): void {
    const era = this.#rules.era.from
    const { device } = last
    if (!this.#find(last)) {
      // Of a device that spoke to this gateway under an epoch that is over, this is the home again.
      const theirs = via === OWN ? origin : gatewayOf(via) === this.#settings.gateway ? OWN : via
      const home = this.#homeOf(device) ?? theirs
      this.#move(device, home, 0)
      this.#slices.changed(this.#begin(last, home), null, true)
    }
    this.#engine.learn(last, alarms)
    this.#keepEra(era)
  }

  /**
   * Devices that spoke to the gateway of `origin` last, under whichever epoch, are decided here from now on. What there is to tell of them is
   * told when time goes on.
   */
  adopt(origin: Origin, now: Millis): void {
    this.#adopted.add(gatewayOf(origin))
    for (const device of this.#devicesOf(origin)) this.#engine.takeOver(device, now)
  }

  /** ... and by the peer again. */
  handBack(origin: Origin): void {
    this.#adopted.delete(gatewayOf(origin))
    for (const device of this.#devicesOf(origin)) this.#engine.follow(device)
  }

  /**
   * An alarm has forked: the centre's chain ends with `event`, which is not of this gateway, and what was told here under that name is
   * void. The alarm follows it.
   *
   * @param lost what was told here under a number that was taken
   * @returns what readings have shown here since, if that differs
   */
  settle(event: ThresholdEvent, now: Millis, lost: ThresholdEvent | null = null): readonly ThresholdEvent[] {
    return this.#engine.settle(event, now, lost)
  }

  /** The gateway's clock has come to `now`: what was due happens. */
  advance(now: Millis): readonly ThresholdEvent[] {
    const events = this.#engine.advance(now)
    if (this.#queue.size > this.#settings.maxSeries) {
      const era = this.#rules.era.from
      this.#forgetSurplus(events)
      this.#keepEra(era)
    }
    return events
  }

  /** When `advance` has something to do; null when nothing is due ever. */
  get nextDue(): Millis | null {
    // Hearing tells of nothing, so what has to be forgotten for it waits.
    return this.#queue.size > this.#settings.maxSeries ? 0 : this.#engine.nextDue
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

  /**
   * Takes the sets of a peer that are newer than those of the same names here. Two gateways that do so have the same sets.
   *
   * @returns what is to be told; nothing when they say what was said before
   */
  mergeRules(sets: ReadonlyMap<string, NamedRules>, at: Millis): readonly ThresholdEvent[] {
    const events = [...this.#engine.advance(at)]
    const changes: ThresholdEvent[] = []
    for (const [set, theirs] of [...sets].sort(([one], [other]) => (one < other ? -1 : 1))) {
      const { taken, event } = this.#rules.merge(set, theirs, at)
      if (taken) this.#slices.changed(this.#rules, null, true)
      if (event) changes.push(event)
    }
    if (changes.length === 0) return events
    return [...events, ...changes, ...this.#engine.useRules(this.#rules.compile(), this.lastReadings(), at)]
  }

  /** What was told of failover last. */
  get toldOfFailover(): Pick<FailoverBook, 'degraded' | 'takenOver'> {
    return this.#failover
  }

  /** @returns what is to be told of it; null when it has been told */
  tellOfFailover(change: FailoverChange, at: Millis): ThresholdEvent | null {
    const event = this.#failover.change(change, at)
    if (event) this.#slices.changed(this.#failover, null, true)
    return event
  }

  /** The last reading of every series; of each device the newest first, in whatever order they were heard, or read back after a restart. */
  *lastReadings(): Iterable<Reading> {
    for (const metrics of this.#entries.byDevice()) {
      if (metrics.size === 1) for (const { series } of metrics.values()) yield series.last
      else yield* [...metrics.values()].map(({ series }) => series.last).sort(newestFirst)
    }
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

  hearFrom(origin: Origin, head: Offset): Offset {
    return this.#slices.replayFrom(head, origin)
  }

  /** Call `resume` before anything else is asked of it. */
  async rebuild(stored: StoredState): Promise<void> {
    this.#entries.clear()
    this.#queue.clear()
    this.#slices.clear()
    this.#rules.clear()
    this.#failover.clear()
    this.#heard = new Heard()
    // Whether a peer is silent has to be found out anew.
    this.#adopted.clear()
    const groups = new Map<string, StoredPart>()
    const heard = new Heard()
    for await (const [name, value] of stored.slices()) {
      const snapshot: unknown = JSON.parse(value.toString('utf8'))
      const kind = partKind(name)
      if (kind === 'rules') this.#rules.restore(snapshot)
      else if (kind === 'failover') this.#failover.restore(snapshot)
      else if (kind !== 'series') groups.set(name, snapshot as StoredPart)
      else {
        this.#insert(Entry.restore(snapshot as StoredSeries))
        heard.include((snapshot as StoredSeries).heardTo)
      }
    }
    for (const group of groups.values()) if ('heardTo' in group) heard.include(group.heardTo)
    this.#engine = this.#engineOf(this.#rules.compile())
    for (const { device, via } of this.#queue) if (via !== OWN) this.#engine.follow(device)
    this.#engine.restore(groups)
    for await (const [offset, line] of stored.records()) {
      const reading = readable(line)
      if (!reading) continue
      const known = this.#find(reading)
      if (!known || known.series.appliedTo <= offset) this.#remember(reading, offset)
      this.#engine.repeat(reading, offset)
    }
    for await (const [origin, offset, line] of stored.heard()) {
      const reading = readable(line)
      if (!reading) continue
      const known = this.#find(reading)
      // Nothing was said by what a group does not know yet: that would have been stored.
      if (known && offset < known.heardTo.next(origin)) this.#engine.overhearAgain(origin, reading, offset)
      else this.#hear(origin, reading, offset)
    }
    // Only now: a series that is heard of for the first time lacks what came before, and nothing behind that.
    this.#heard.include(heard.toJSON())
  }

  /** What was rebuilt goes on at `now`. */
  resume(now: Millis): void {
    this.#engine.resume(now, this.lastReadings())
  }

  #engineOf(rules: RuleSet): Engine {
    return new Engine(rules, this.#slices, this.#rules.era, this.#rules.device, this.#heard)
  }

  /** Takes it into its series, and notices whether the device has moved here. */
  #remember(reading: Reading, offset: Offset): void {
    const { device, metric } = reading
    const entry = this.#find(reading)
    const via = entry ? entry.via : (this.#homeOf(device) ?? OWN)
    if (via !== OWN) this.#move(device, OWN, reading.received)
    if (entry) {
      entry.series.apply(reading, offset, this.#settings.dedupeWindow)
      this.#slices.changed(entry, offset)
      return
    }
    const series = Series.begin(reading, offset + 1, this.#settings.dedupeWindow)
    const fresh = new Entry(device, metric, series, OWN, new Heard(this.#heard.toJSON()))
    this.#slices.changed(fresh, offset)
    this.#insert(fresh)
  }

  #hear(origin: Origin, reading: Reading, offset: Offset): boolean {
    const entry = this.#find(reading)
    const isRepeat = entry?.series.isRepeat(reading, false) ?? false
    const home = isRepeat ? OWN : this.#homeAfter(reading, origin)
    // The peer's clock says nothing here.
    if (!isRepeat && home === origin) this.#move(reading.device, origin, 0)
    const isNews = !isRepeat && home === origin
    const known = entry ?? this.#begin(reading, home)
    if (entry && !isRepeat) entry.series.hear(reading, this.#settings.dedupeWindow)
    known.heardTo.move(origin, offset + 1)
    // What is no news is kept from the groups, also in a replay; and that has to know the home of a series before it hears of it.
    this.#slices.changed(known, offset, !isNews || !entry, origin)
    if (isNews) this.#engine.overhear(origin, reading, offset)
    else this.#engine.skip(origin, reading, offset)
    this.#heard.move(origin, offset + 1)
    return isRepeat
  }

  /** A series that a peer heard of first. */
  #begin(reading: Reading, home: Origin): Entry {
    const series = Series.begin(reading, this.#engine.next, this.#settings.dedupeWindow)
    const fresh = new Entry(reading.device, reading.metric, series, home, new Heard(this.#heard.toJSON()))
    this.#insert(fresh)
    return fresh
  }

  /** Whom a device speaks to; undefined when it is not known. */
  #homeOf(device: string): Origin | undefined {
    for (const { via } of this.#entries.of(device).values()) return via
    return undefined
  }

  /** Whom the device of a reading that `origin` accepted spoke to last: what comes late does not say. */
  #homeAfter(reading: Reading, origin: Origin): Origin {
    const home = this.#homeOf(reading.device)
    if (home === undefined || home === origin) return origin
    // Of the same metric, its own counter can tell.
    const same = this.#find(reading)
    const others = same ? [same] : [...this.#entries.of(reading.device).values()]
    if (others.every((other) => isLater(reading, other.series.last))) return origin
    if (others.some((other) => isLater(other.series.last, reading))) return home
    const { gateway } = this.#settings
    return gatewayOf(origin) > (home === OWN ? gateway : gatewayOf(home)) ? origin : home
  }

  /** The device speaks to somebody else than before. All that is known of it is stored as of then. */
  #move(device: string, home: Origin, at: Millis): void {
    if (this.#homeOf(device) === home) return
    for (const entry of this.#entries.of(device).values()) {
      entry.via = home
      this.#slices.changed(entry, null, true)
    }
    if (home === OWN || this.#adopted.has(gatewayOf(home))) this.#engine.takeOver(device, at)
    else this.#engine.follow(device)
  }

  #devicesOf(origin: Origin): ReadonlySet<string> {
    const devices = new Set<string>()
    for (const { device, via } of this.#queue)
      if (via !== OWN && gatewayOf(via) === gatewayOf(origin)) devices.add(device)
    return devices
  }

  /** Alarms were removed: no numbers may begin before that any more. */
  #keepEra(before: Millis): void {
    if (this.#rules.era.from !== before) this.#slices.changed(this.#rules, null, true)
  }

  #find(reading: Reading): Entry | undefined {
    return this.#entries.get(reading.device, reading.metric)
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.device, entry.metric, entry)
    this.#queue.add(entry)
  }

  #forgetSurplus(events: ThresholdEvent[]): void {
    while (this.#queue.size > this.#settings.maxSeries) {
      const forgotten = this.#forgetOne()
      if (!forgotten) return
      events.push(...this.#engine.forget(forgotten.device, forgotten.metric))
    }
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
      this.#entries.delete(entry.device, entry.metric)
      this.#slices.gone(entry.name)
      return entry
    }
    return null
  }
}

type StoredPart = StoredEngine extends ReadonlyMap<string, infer Part> ? Part : never

/** The same order everywhere, also of what was said at the same time. */
const newestFirst = (one: Reading, other: Reading): number =>
  timeOf(other) - timeOf(one) || other.received - one.received || (one.metric < other.metric ? -1 : 1)

const timeOf = ({ time, received }: Reading): Millis => time ?? received

/** The gateway of a peer's origin: what stands before the last slash. */
const gatewayOf = (origin: Origin): string => origin.slice(0, origin.lastIndexOf('/'))

/** A line that a later or earlier version wrote, and this one does not take for a reading, must not keep a gateway down. */
function readable(line: string): Reading | null {
  try {
    return decodeLine(line)
  } catch (error) {
    if (error instanceof DeadLetterError) return null
    throw error
  }
}
