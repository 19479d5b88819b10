import type { Millis, Offset, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import { type ActionNote, Alarm, type Era, type Ours } from './alarm.ts'
import { AlarmGroup, type Told } from './alarm-group.ts'
import { DueQueue } from './due-queue.ts'
import { toEvent } from './event.ts'
import { calm, type FloodLimit, type FloodState, FloodWatch } from './flood.ts'
import { Heard, type Origin } from './heard.ts'
import { Held } from './held.ts'
import { type GroupKeeper, isFlood, type StoredEngine, type StoredGroup } from './kept.ts'
import { isLater } from './later.ts'
import type { Action } from './lifecycle.ts'
import type { RuleSet, Selected } from './rule-set.ts'
import { SeriesMap } from './series-map.ts'
import { type KnownAlarm, readTold } from './told.ts'

/** The groups that hear one series. */
interface Slot {
  labels: Reading['labels']
  groups: readonly Held[]
}

/** Groups of before, by name. */
type Earlier = ReadonlyMap<string, Held | StoredGroup>

/** An alarm, and the reading that was evaluated last. */
export interface AlarmView {
  alarm: Alarm
  last: Reading
}

/**
 * Decides the rules of a set over all series. Part of the deterministic state machine: time comes in with the readings
 * (`received`) and as `advance`, never from a clock, and how often `advance` is called makes no difference to what is decided: whatever is
 * due happens in the order in which it is due, at the time at which it is due.
 *
 *     new --restore--> as stored --replay the readings since--> as it was --resume(now)--> live: apply, advance, act, useRules
 *
 * A device may be decided by another gateway (`follow`): its groups hear what that one accepted and heed what it tells, so that they
 * can go on from there (`takeOver`).
 */
export class Engine {
  readonly #keeper: GroupKeeper
  #rules: RuleSet
  #slots = new SeriesMap<Slot>()
  #held = new Map<string, Held>()
  #due = new DueQueue<Held | FloodWatch>()
  /** By rule. */
  readonly #floods = new Map<string, FloodWatch>()
  #now: Millis = 0
  /** Offset after the newest record that was taken in. */
  #next: Offset = 0
  /** False until it is resumed: before, it only remembers. */
  #live = false
  #listeningSince: Millis = 0

  /** Devices that another gateway decides. */
  readonly #following = new Set<string>()

  readonly #era: Era

  readonly #self: string

  /** How far the lanes of peers were taken in. */
  readonly #heard: Heard

  /**
   * @param era kept by whoever keeps the engine; it changes when alarms are removed
   * @param self what the gateway calls itself among the devices, for what it tells of itself
   * @param heard kept by whoever hears for it
   */
  constructor(rules: RuleSet, keeper: GroupKeeper, era: Era, self: string, heard = new Heard()) {
    this.#self = self
    this.#heard = heard
    this.#rules = rules
    this.#keeper = keeper
    this.#era = era
  }

  get rules(): RuleSet {
    return this.#rules
  }

  /** Takes in a reading as record `offset`, after everything that was due before it came. */
  apply(reading: Reading, offset: Offset): ThresholdEvent[] {
    const events = this.advance(reading.received)
    this.#next = offset + 1
    for (const held of this.#slotOf(reading, events).groups) {
      const told = held.group.apply(reading, this.#now)
      held.appliedTo = offset + 1
      this.#keeper.changed(held, offset, told.length > 0 || !held.stored)
      held.stored = true
      this.#tell(told, events, this.#now)
      this.#schedule(held)
    }
    return events
  }

  /** The gateway's clock has come to `now`. */
  advance(now: Millis): ThresholdEvent[] {
    // A clock that is set back does not undo anything: time stands still until it is as late again.
    this.#now = Math.max(this.#now, now)
    const events: ThresholdEvent[] = []
    for (let next = this.#due.takeDue(this.#now); next; next = this.#due.takeDue(this.#now)) {
      const { at, what } = next
      if (what instanceof FloodWatch) this.#passFlood(what, at, events)
      else this.#passGroup(what, at, events)
    }
    return events
  }

  #passGroup(held: Held, at: Millis, events: ThresholdEvent[]): void {
    // Its series was bound anew since.
    if (this.#held.get(held.name) !== held) return
    if (held.queued === at) held.queued = null
    // Another gateway has taken it over since.
    if (held.follows) return
    // Nothing for a group that was heard of since it was put into the queue: its turn comes later.
    const { waiting } = held.group
    const told = held.group.pass(at)
    // What the clock has let go is not known from the records: a replay would put what a peer says late before it.
    const isDecided = this.#heard.toJSON() !== undefined && held.group.waiting < waiting
    if (told.length > 0 || isDecided) this.#urgent(held)
    this.#tell(told, events, at)
    this.#schedule(held)
  }

  #passFlood(watch: FloodWatch, at: Millis, events: ThresholdEvent[]): void {
    if (watch.queued === at) watch.queued = null
    const event = watch.pass(at)
    if (event) {
      this.#keeper.changed(watch, null, true)
      events.push(event)
    }
    this.#scheduleFlood(watch)
  }

  /** Offset after the newest own record that was taken in. */
  get next(): Offset {
    return this.#next
  }

  /** When `advance` has something to do; null when nothing is due ever. */
  get nextDue(): Millis | null {
    return this.#due.next
  }

  /**
   * What somebody does to an alarm.
   *
   * @returns null when that cannot be done in its state; undefined when there is no such alarm
   */
  act(device: string, name: string, action: Action, at: Millis, note: ActionNote): ThresholdEvent | null | undefined {
    const found = this.#find(device, name)
    if (!found) return undefined
    const { held, alarm } = found
    const told = held.group.act(alarm, action, Math.max(at, this.#now), note)
    if (!told) return null
    this.#urgent(held)
    this.#schedule(held)
    return toEvent(alarm, told.transition)
  }

  /** Another gateway decides the device from now on. */
  follow(device: string): void {
    this.#following.add(device)
    for (const held of this.#groupsOf(device)) {
      held.follows = true
      held.group.follow()
      // A replay takes the records in as the one that decides, or as the one that does not.
      this.#urgent(held)
    }
  }

  /** The device is decided here from now on. */
  takeOver(device: string, at: Millis): void {
    this.#following.delete(device)
    for (const held of this.#groupsOf(device)) {
      held.follows = false
      held.group.takeOver(Math.max(at, this.#now))
      this.#urgent(held)
      this.#schedule(held)
    }
  }

  /**
   * Takes in a reading that a peer accepted. Time stands still meanwhile: it is the peer's that the reading carries. What comes of it
   * is for the peer to tell; of a device that is decided here, it is told when time goes on.
   */
  overhear(origin: Origin, reading: Reading, offset: Offset): void {
    // A replay binds series under the labels that they have at the end, see `repeat`.
    const known = this.#live ? undefined : this.#slots.get(reading.device, reading.metric)
    this.#overhear((known ?? this.#slotOf(reading, [])).groups, origin, reading, offset)
  }

  /** The same in a replay, of a reading that the series knows: a group that heard it was stored since. */
  overhearAgain(origin: Origin, reading: Reading, offset: Offset): void {
    this.#overhear(this.#slots.get(reading.device, reading.metric)?.groups ?? [], origin, reading, offset)
  }

  #overhear(groups: readonly Held[], origin: Origin, reading: Reading, offset: Offset): void {
    for (const held of groups) {
      if (offset < held.heardTo.next(origin)) continue
      held.group.hear(reading)
      held.heardTo.move(origin, offset + 1)
      this.#keeper.changed(held, offset, false, origin)
      this.#schedule(held)
    }
  }

  /**
   * A peer accepted a reading that says nothing here but that there is such a series. That is stored at once: a replay could not tell it from one that does.
   */
  skip(origin: Origin, reading: Reading, offset: Offset): void {
    const known = this.#slots.get(reading.device, reading.metric)
    for (const held of (known ?? (this.#live ? this.#slotOf(reading, []) : null))?.groups ?? []) {
      if (offset < held.heardTo.next(origin)) continue
      held.heardTo.move(origin, offset + 1)
      this.#urgent(held)
    }
  }

  /**
   * A peer has told of an alarm, after everything that was due.
   *
   * @param decides whether it is the peer that the device spoke to last
   * @returns what is to be told here: what was due, and of an alarm that is decided here, and not as the peer took it to be
   */
  heed(event: ThresholdEvent, decides: boolean): ThresholdEvent[] {
    const events = this.advance(this.#now)
    const found = this.#find(event.device, event.rule)
    const told = readTold(event)
    if (!found || !told) return events
    const { held, alarm } = found
    // Two gateways that both take themselves for the one that decides must not answer each other without end: of what readings show, the
    // one that knows the later reading has the last word.
    const knowsMore = typeof told.by === 'object' || isLater(held.group.last, told.reading)
    if (!held.follows && !decides && knowsMore)
      return alarm.isBehind(told) ? [...events, ...this.settle(event, this.#now)] : events
    if (!held.group.heed(alarm, told, decides)) return events
    this.#urgent(held)
    this.#schedule(held)
    return events
  }

  /**
   * The chain of an alarm goes on with this event, whatever was told here under its name.
   *
   * @returns what is to be told behind it
   */
  settle(event: ThresholdEvent, at: Millis, lost: ThresholdEvent | null = null): ThresholdEvent[] {
    const events = this.advance(at)
    const found = this.#find(event.device, event.rule)
    const told = readTold(event)
    if (!found || !told || found.alarm.isPast(told)) return events
    const { held, alarm } = found
    this.#tell(held.group.settle(alarm, told, this.#now, lost && oursIn(lost)), events, this.#now)
    this.#urgent(held)
    this.#schedule(held)
    return events
  }

  /** What there is to know of the alarms of a series beyond its readings. */
  *known(device: string, metric: string): Iterable<KnownAlarm> {
    for (const { group } of this.#slots.get(device, metric)?.groups ?? [])
      for (const alarm of group.alarms) {
        const known = alarm.known(group.last)
        if (known) yield known
      }
  }

  /** Takes that from another gateway, of the series of this reading. */
  learn(reading: Reading, known: readonly KnownAlarm[]): void {
    if (!this.#slots.get(reading.device, reading.metric)) this.#slotOf(reading, [])
    for (const one of known) {
      const found = this.#find(reading.device, one.name)
      if (!found?.held.group.learn(found.alarm, one)) continue
      this.#urgent(found.held)
      this.#schedule(found.held)
    }
  }

  /** Every alarm of every series that was heard of. */
  *alarms(): Iterable<AlarmView> {
    for (const { group } of this.#held.values()) for (const alarm of group.alarms) yield { alarm, last: group.last }
  }

  /**
   * Decides by other rules from here on. What a rule that decides as before has counted and timed goes on; of one that
   * decides otherwise, what people were told stays.
   *
   * @param known the last reading of every series, so that rules hold for those that are silent, too
   * @returns what is to be told of alarms whose rule is gone
   */
  useRules(rules: RuleSet, known: Iterable<Reading>, at: Millis): ThresholdEvent[] {
    const before = this.#held
    this.#rules = rules
    this.#slots = new SeriesMap()
    this.#held = new Map()
    this.#due = new DueQueue()
    const events: ThresholdEvent[] = []
    for (const reading of known) this.#slotOf(reading, events, before)
    const ids = new Set(rules.ids)
    for (const watch of this.#floods.values())
      if (ids.has(watch.rule)) {
        watch.queued = null
        this.#scheduleFlood(watch)
      } else this.#endFlood(watch, Math.max(at, this.#now), events)
    // In the same order on every gateway, however it came to its groups.
    for (const held of [...before.values()].sort((one, other) => (one.name < other.name ? -1 : 1))) {
      const next = this.#held.get(held.name)
      if (next === held) continue
      this.#leave(held, next, Math.max(at, this.#now), events)
      if (!next) this.#keeper.gone(held.name)
    }
    return events
  }

  /** The series is not remembered any more; tells of its alarms. */
  forget(device: string, metric: string): ThresholdEvent[] {
    const slot = this.#slots.get(device, metric)
    if (!slot) return []
    this.#slots.delete(device, metric)
    if (this.#slots.of(device).size === 0) this.#following.delete(device)
    const others = this.#groupsOf(device)
    const events: ThresholdEvent[] = []
    for (const held of slot.groups) {
      if (others.has(held)) continue
      this.#held.delete(held.name)
      this.#leave(held, undefined, this.#now, events)
      this.#keeper.gone(held.name)
    }
    return events
  }

  /** What was stored, all of it, before anything else but which devices it follows. */
  restore(stored: StoredEngine): void {
    const groups = new Map<string, StoredGroup>()
    const floods = new Map<string, FloodState>()
    for (const [name, one] of stored)
      if (isFlood(one)) floods.set(name, one)
      else groups.set(name, one)
    this.#restoreFloods(floods)
    for (const [name, { last }] of groups) if (!this.#held.has(name)) this.#slotOf(last, [], groups)
    for (const [name, { appliedTo, heard, last }] of groups) {
      // What was heard of the others was heard by the clock of a peer.
      if (!this.#following.has(last.device)) this.#now = Math.max(this.#now, heard)
      const held = this.#held.get(name)
      if (!held) {
        this.#keeper.gone(name)
        continue
      }
      held.stored = true
      held.appliedTo = appliedTo
      this.#next = Math.max(this.#next, appliedTo)
    }
  }

  /** A record that was taken in before, and that what was stored may lack. Nothing comes of it that was not told then. */
  repeat(reading: Reading, offset: Offset): void {
    this.#next = offset + 1
    // Under the labels that it has at the end: with others it was bound, and stored, anew.
    const slot = this.#slots.get(reading.device, reading.metric) ?? this.#slotOf(reading, [])
    for (const held of slot.groups) {
      if (offset < held.appliedTo) continue
      held.group.repeat(reading)
      held.appliedTo = offset + 1
      this.#keeper.changed(held, offset, false)
    }
  }

  /**
   * The replay is over, and it is `at`.
   *
   * @param known the last reading of every series
   */
  resume(at: Millis, known: Iterable<Reading>): void {
    this.#now = Math.max(this.#now, at)
    this.#live = true
    this.#listeningSince = at
    for (const reading of known) this.#slotOf(reading, [])
    for (const held of this.#held.values()) {
      if (held.follows) continue
      held.group.resume(at)
      // Without being stored, this would not be found out by a replay of what comes now.
      held.stored = false
      this.#schedule(held)
    }
  }

  #slotOf(reading: Reading, events: ThresholdEvent[], earlier?: Earlier): Slot {
    const { device, metric, labels } = reading
    const known = this.#slots.get(device, metric)
    if (known && sameLabels(known.labels, labels)) return known
    const slot = { labels, groups: this.#bind(reading, events, earlier) }
    this.#slots.set(device, metric, slot)
    return slot
  }

  /** The groups of a series that is heard of for the first time, or under other labels. */
  #bind(reading: Reading, events: ThresholdEvent[], earlier: Earlier = new Map()): readonly Held[] {
    const { device, metric, labels = {} } = reading
    const selected = this.#rules.select({ device, metric, labels }).filter(({ rule }) => rule.enabled)
    const groups: Held[] = []
    const single: Selected[] = []
    for (const one of selected)
      if (one.rule.condition.kind !== 'when') single.push(one)
      else {
        const name = JSON.stringify(['rule', device, one.rule.id])
        // A test over several metrics is heard of once for each of them.
        groups.push(this.#held.get(name) ?? this.#hold(name, [one], reading, earlier.get(name)))
      }
    const name = JSON.stringify(['series', device, metric])
    const known = this.#held.get(name)
    if (single.length > 0) groups.push(this.#hold(name, single, reading, earlier.get(name) ?? known))
    else if (known) {
      this.#held.delete(name)
      this.#keeper.gone(name)
    }
    const next = this.#held.get(name)
    if (known && known !== next) this.#leave(known, next, this.#now, events)
    return groups
  }

  #hold(name: string, selected: readonly Selected[], reading: Reading, earlier: Held | StoredGroup | undefined): Held {
    const { lateness } = this.#rules
    const key = `${lateness} ${selected.map((one) => one.key).join(' ')}`
    if (earlier instanceof Held && earlier.key === key) {
      earlier.queued = null
      this.#held.set(name, earlier)
      this.#schedule(earlier)
      return earlier
    }
    const before = earlier instanceof Held ? earlier.toJSON() : earlier
    const alarms = selected.map(({ rule, revision, many }) => {
      const alarm = many ? `${rule.id}@${reading.metric}` : rule.id
      return new Alarm(alarm, rule, revision, before?.alarms[alarm] ?? null, this.#era)
    })
    // While the gateway was away nothing could be heard.
    const follows = this.#following.has(reading.device)
    const heard = follows ? reading.received : Math.max(reading.received, this.#listeningSince)
    const state = before ?? { newest: {}, at: null, heard, last: reading, waiting: [] }
    const held = new Held(
      name,
      key,
      new AlarmGroup(alarms, lateness, state),
      before?.appliedTo ?? this.#next,
      new Heard(before ? before.heardTo : this.#heard.toJSON()),
    )
    held.follows = follows
    if (follows) held.group.follow()
    this.#held.set(name, held)
    if (this.#live) this.#urgent(held)
    this.#schedule(held)
    return held
  }

  /** Tells of the alarms that a group had, and the one in its place has not. */
  #leave(held: Held, next: Held | undefined, at: Millis, events: ThresholdEvent[]): void {
    const names = new Set(next?.group.alarms.map(({ name }) => name))
    for (const alarm of held.group.alarms) {
      if (names.has(alarm.name)) continue
      if (alarm.transition > 0) this.#era.from = Math.max(this.#era.from, at + 1, alarm.since + 1)
      const told = held.follows ? null : held.group.remove(alarm, at)
      if (told) this.#tell([told], events, at)
    }
    // That they are gone is stored with the telling.
    if (next && held.group.alarms.some(({ name }) => !names.has(name))) this.#urgent(next)
  }

  #tell(told: readonly Told[], events: ThresholdEvent[], at: Millis): void {
    for (const { alarm, transition } of told) {
      if (!transition.announced) continue
      events.push(toEvent(alarm, transition))
      const { flood } = alarm.rule
      if (transition.kind === 'raised' && flood !== null)
        this.#raisedUnder(alarm.rule.id, flood, transition.reading.device, at, events)
    }
  }

  #raisedUnder(rule: string, limit: FloodLimit, device: string, at: Millis, events: ThresholdEvent[]): void {
    let watch = this.#floods.get(rule)
    if (!watch) {
      watch = new FloodWatch(rule, this.#self, calm(limit), this.#era)
      this.#floods.set(rule, watch)
    }
    const event = watch.raised(device, limit, at)
    if (event) events.push(event)
    this.#keeper.changed(watch, null, true)
    this.#scheduleFlood(watch)
  }

  #restoreFloods(floods: ReadonlyMap<string, FloodState>): void {
    for (const [name, state] of floods) {
      const [, , rule = ''] = JSON.parse(name) as string[]
      const watch = new FloodWatch(rule, this.#self, state, this.#era)
      this.#floods.set(rule, watch)
      this.#scheduleFlood(watch)
    }
  }

  #endFlood(watch: FloodWatch, at: Millis, events: ThresholdEvent[]): void {
    const event = watch.end(at)
    if (event) events.push(event)
    // Should it come back, it is numbered anew.
    this.#era.from = Math.max(this.#era.from, at + 1)
    this.#floods.delete(watch.rule)
    this.#keeper.gone(watch.name)
  }

  #scheduleFlood(watch: FloodWatch): void {
    const { due } = watch
    if (due === null || (watch.queued !== null && watch.queued <= due)) return
    watch.queued = due
    this.#due.push(due, watch.name, watch)
  }

  #groupsOf(device: string): ReadonlySet<Held> {
    return new Set([...this.#slots.of(device).values()].flatMap(({ groups }) => groups))
  }

  #find(device: string, name: string): { held: Held; alarm: Alarm } | null {
    for (const { groups } of this.#slots.of(device).values())
      for (const held of groups) for (const alarm of held.group.alarms) if (alarm.name === name) return { held, alarm }
    return null
  }

  #urgent(held: Held): void {
    this.#keeper.changed(held, null, true)
    held.stored = true
  }

  /** Keeps the group in the queue at its due time or earlier. */
  #schedule(held: Held): void {
    if (held.follows) return
    const { due } = held.group
    if (due === null || (held.queued !== null && held.queued <= due)) return
    held.queued = due
    this.#due.push(due, held.name, held)
  }
}

/** What an event of ours told, for it to be told again under another number. */
function oursIn(event: ThresholdEvent): Ours | null {
  const told = readTold(event)
  if (told?.by !== 'readings') return null
  return { condition: told.condition, at: told.at, reading: event.data['reading'] as Reading }
}

function sameLabels(one: Reading['labels'], other: Reading['labels']): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
