import type { Millis, Reading } from '../../sync/contract/index.ts'
import type { ActionNote, Alarm, AlarmSnapshot, Ours, Transition } from './alarm.ts'
import { type Calm, calmOf, isCalm } from './calm.ts'
import { earliest } from './earliest.ts'
import type { Action } from './lifecycle.ts'
import type { KnownAlarm, PeerTold } from './told.ts'

/** What is stored of a group. */
export interface GroupSnapshot {
  /** Newest event time that was evaluated, for each metric, */
  newest: Record<string, Millis>
  /** and of all; null before the first. */
  at: Millis | null
  /** When the gateway last heard of it, by its own clock. */
  heard: Millis
  /** The reading that was evaluated last. */
  last: Reading
  /** Readings that wait for those that may still come before them, in the order of their time. */
  waiting: Waiting[]
  /** By name; those that are as new ones would be are left out. */
  alarms: Record<string, AlarmSnapshot>
}

/** A reading, and when the gateway heard it. */
interface Waiting {
  reading: Reading
  heard: Millis
}

/** A transition, and whose. */
export interface Told {
  alarm: Alarm
  transition: Transition
}

const NOTHING: readonly Told[] = []

/**
 * The alarms that hear the same readings: those of one series, or those over several metrics of one device. It puts readings into
 * the order of their event time: each waits until those that are at most `lateness` late have come.
 */
export class AlarmGroup {
  readonly alarms: readonly Alarm[]
  /** Those that wait for silence: they hear every reading, the others only evaluate it. */
  readonly #listeners: readonly Alarm[]
  readonly #lateness: Millis
  readonly #state: Omit<GroupSnapshot, 'alarms' | 'newest'>
  /** See `GroupSnapshot`. */
  readonly #newest: Map<string, Millis>
  /** What leaves all alarms as they are, if there is such a thing; undefined when it has to be found out. */
  #calm: Calm | null | undefined

  constructor(alarms: readonly Alarm[], lateness: Millis, { newest, ...state }: Omit<GroupSnapshot, 'alarms'>) {
    this.alarms = alarms
    this.#listeners = alarms.filter(({ rule }) => rule.condition.kind === 'missing')
    this.#lateness = lateness
    this.#newest = new Map(Object.entries(newest))
    this.#state = state
  }

  /** @param received later than the reading says while the gateway's clock, which was set back, has not caught up yet */
  apply(reading: Reading, received: Millis = reading.received): readonly Told[] {
    const state = this.#state
    state.heard = Math.max(state.heard, received)
    // What comes now comes after what was evaluated, even if that was by the clock of another gateway, which is ahead.
    const now = Math.max(state.heard, state.at ?? 0)
    this.#calm = this.#calm === undefined ? this.#findCalm() : this.#calm
    if (this.#calm !== null && isCalm(this.#calm, reading)) {
      this.#note(reading, now)
      return NOTHING
    }
    this.#calm = undefined
    const told: Told[] = []
    for (const alarm of this.#listeners)
      for (const transition of alarm.hear(reading, state.heard, state.last)) told.push({ alarm, transition })
    // What the device itself does not trust shows that it is there, and nothing else.
    if (reading.quality === 'bad') return told
    if (this.#lateness === 0) this.#evaluate(reading, now, told)
    else {
      const heard = { reading, heard: now }
      const { waiting } = state
      const time = timeOf(reading, now)
      waiting.splice(waiting.findLastIndex((other) => timeOf(other.reading, other.heard) <= time) + 1, 0, heard)
      const newest = waiting.at(-1) ?? heard
      const upTo = timeOf(newest.reading, newest.heard) - this.#lateness
      this.#release((other) => timeOf(other.reading, other.heard) <= upTo, told)
    }
    return told
  }

  /** How many readings wait for those that may still come before them. */
  get waiting(): number {
    return this.#state.waiting.length
  }

  /** When something happens by the gateway's clock if nothing is heard until then; null when nothing does. */
  get due(): Millis | null {
    const { heard, waiting } = this.#state
    const calm = this.#calm
    if (calm) return calm.silence === null ? null : heard + calm.silence
    let first: Millis | null = null
    for (const alarm of this.alarms) first = earliest(first, alarm.due(heard, this.#lateness))
    for (const { heard: at } of waiting) first = earliest(first, at + this.#lateness)
    return first
  }

  /** The gateway's clock has come to `now`. */
  pass(now: Millis): Told[] {
    this.#calm = undefined
    const told: Told[] = []
    this.#release(({ heard: at }) => at + this.#lateness <= now, told)
    const { heard, last } = this.#state
    for (const alarm of this.alarms)
      for (const transition of alarm.pass(now, heard, this.#lateness, last)) told.push({ alarm, transition })
    return told
  }

  /** Takes in a reading that was taken in before (a replay): whatever it causes is told already. */
  repeat(reading: Reading): void {
    // As late as it was then, as far as can be told: a clock that was set back had not caught up.
    const now = Math.max(this.#state.heard, reading.received)
    for (let due = this.due; due !== null && due <= now; due = this.due) this.pass(due)
    this.apply(reading, now)
  }

  /** Takes in a reading that another gateway accepted: it is for that one to tell what comes of it. */
  hear(reading: Reading): void {
    this.#calm = undefined
    const leading = this.alarms.filter(({ follows }) => !follows)
    for (const alarm of leading) alarm.follow()
    this.repeat(reading)
    for (const alarm of leading) alarm.lead()
    this.#calm = undefined
  }

  /** Another gateway decides from now on. */
  follow(): void {
    this.#calm = undefined
    for (const alarm of this.alarms) alarm.follow()
  }

  /** It is decided here from now on, by this gateway's clock, that says `at`: nothing was heard later than that. */
  takeOver(at: Millis): void {
    this.#calm = undefined
    const state = this.#state
    state.heard = at
    for (const waiting of state.waiting) waiting.heard = Math.min(waiting.heard, at)
    for (const alarm of this.alarms) alarm.takeOver(at)
  }

  /** See `Alarm.heed`. */
  heed(alarm: Alarm, told: PeerTold, decides: boolean): boolean {
    this.#calm = undefined
    return alarm.heed(told, decides, this.#state.last)
  }

  /** See `Alarm.learn`. */
  learn(alarm: Alarm, known: KnownAlarm): boolean {
    this.#calm = undefined
    return alarm.learn(known, this.#state.last)
  }

  /** See `Alarm.settle`. */
  settle(alarm: Alarm, told: PeerTold, at: Millis, ours: Ours | null): Told[] {
    this.#calm = undefined
    return alarm.settle(told, at, this.#state.last, ours).map((transition) => ({ alarm, transition }))
  }

  /** The gateway hears again since `at`: what was not heard before says nothing about the sensors. */
  resume(at: Millis): void {
    if (this.#listeners.length > 0) this.#state.heard = Math.max(this.#state.heard, at)
  }

  /** @returns null when that cannot be done in the alarm's state */
  act(alarm: Alarm, action: Action, at: Millis, note: ActionNote): Told | null {
    this.#calm = undefined
    const transition = alarm.act(action, at, this.#state.last, note)
    return transition && { alarm, transition }
  }

  /** The alarm is not one of this group any more; null when nobody needs to be told. */
  remove(alarm: Alarm, at: Millis): Told | null {
    this.#calm = undefined
    const transition = alarm.remove(at, this.#state.last)
    return transition && { alarm, transition }
  }

  /** The reading that was evaluated last. */
  get last(): Reading {
    return this.#state.last
  }

  toJSON(): GroupSnapshot {
    const alarms: Record<string, AlarmSnapshot> = {}
    for (const alarm of this.alarms) {
      const snapshot = alarm.toJSON()
      if (snapshot) alarms[alarm.name] = snapshot
    }
    return { newest: Object.fromEntries(this.#newest), ...this.#state, alarms }
  }

  /** Evaluates what waits and may go, in the order of its time. */
  #release(may: (one: Waiting) => boolean, told: Told[]): void {
    const { waiting } = this.#state
    const count = waiting.findLastIndex(may) + 1
    for (const { reading, heard } of waiting.splice(0, count)) this.#evaluate(reading, heard, told)
  }

  #evaluate(reading: Reading, heard: Millis, told: Told[]): void {
    const { last } = this.#state
    const at = this.#note(reading, heard)
    if (at === null) return
    for (const alarm of this.alarms)
      for (const transition of alarm.evaluate(reading, at, heard, last)) told.push({ alarm, transition })
  }

  /** @returns the event time as of which it is evaluated; null when it comes later than it was waited for: what came after it is decided, and stays so */
  #note(reading: Reading, heard: Millis): Millis | null {
    const state = this.#state
    const { metric } = reading
    const time = timeOf(reading, heard)
    const newest = this.#newest.get(metric)
    if (newest !== undefined && time < newest) return null
    this.#newest.set(metric, time)
    const at = state.at === null ? time : Math.max(state.at, time)
    state.at = at
    state.last = reading
    return at
  }

  /** Readings that wait for others are a matter of time. */
  #findCalm(): Calm | null {
    return this.#lateness === 0 && this.#state.waiting.length === 0 ? calmOf(this.alarms) : null
  }
}

/**
 * Event time: the device's, or the gateway's where the device gave none. Nothing is measured after it is heard: a device whose
 * clock is ahead would make everything late that comes before that time.
 */
const timeOf = (reading: Reading, heard: Millis): Millis => Math.min(reading.time ?? heard, heard)
