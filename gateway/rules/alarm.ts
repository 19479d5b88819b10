import type { Millis, Reading } from '../../sync/contract/index.ts'
import type { Calm } from './calm.ts'
import { evaluate, freshMemory, type Memory, mOfN, type Recent, restBand } from './condition/index.ts'
import { earliest } from './earliest.ts'
import { isLater } from './later.ts'
import {
  type Action,
  type AlarmLife,
  type AlarmState,
  freshLife,
  type Happening,
  isAnnounced,
  live,
  stateOf,
} from './lifecycle.ts'
import type { Rule } from './rule.ts'
import { isWorse } from './severity.ts'
import {
  becomesAt,
  type Change,
  countAs,
  countsAt,
  dueAt,
  freshTiming,
  observe,
  settle,
  type TimingState,
} from './timing.ts'
import { type Cause, isCause, type KnownAlarm, lifeTold, type PeerTold } from './told.ts'
import { type Shown, Untold } from './untold.ts'

/** Everything that an alarm remembers; plain data, as it is stored. */
export interface AlarmSnapshot {
  /** Which version of its rule it has followed. */
  revision: string
  /** null before its first reading */
  memory: Memory
  /** For rules that look at several readings (`of`). */
  recent: Recent
  timing: TimingState
  life: AlarmLife
  /** Number of the newest transition; 0 before the first. */
  transition: number
  /** Names the series of transitions: the time of the first one, or a little later. */
  since: Millis
  /** While another gateway tells of it: what readings have shown that was not told yet. */
  untold?: Shown[]
  /** And if what was told is ahead of the readings: the last one that it knows of. */
  toldTo?: Cause
}

/** A transition of an alarm, on its way to become an event. */
export interface Transition {
  kind: 'raised' | 'changed' | 'cleared' | 'expired' | 'removed' | Action['kind']
  /** False for what happens to an alarm of which nobody is to be told: it gets no number, and becomes no event. */
  announced: boolean
  number: number
  /** See `AlarmSnapshot`. */
  since: Millis
  /** Event time. */
  at: Millis
  from: AlarmState
  to: AlarmState
  /** The condition before and after, as it counts. */
  was: string | null
  is: string | null
  /** The reading that caused it, or the last one before time did. */
  reading: Reading
  /** Of an action: who did it, and why. */
  note: ActionNote | null
}

/** An alarm that was removed may come back: its new series of transitions must not be named like the old one. */
export interface Era {
  /** Later than the first transition of every alarm that was removed. */
  from: Millis
}

/** Who does something to an alarm, and why, in their own words. */
export interface ActionNote {
  by: string | null
  comment: string | null
  /** Of shelving: when it comes back by itself. */
  until?: Millis
}

/** What was told here under a number that another gateway had taken. */
export interface Ours {
  condition: string | null
  /** Event time. */
  at: Millis
  reading: Reading
}

const NONE: readonly Transition[] = []

/**
 * What one rule has found out about one series (or device). It is told of readings in the order of their event time.
 *
 * An alarm that *follows* is decided by another gateway. Readings move what is counted and timed as they do there; its life, and the
 * numbers of its transitions, are those that the other one tells of. What was shown and not told waits, and is told if it is to be
 * decided here from now on. Silence, and the end of shelving, are for the one that decides.
 */
export class Alarm {
  /** Its name within the device: the rule's id, with the metric behind it where one rule watches several. */
  readonly name: string
  readonly rule: Rule
  /** Which version of its rule it follows. */
  readonly revision: string
  #memory: Memory
  readonly #recent: Recent
  readonly #timing: TimingState
  #life: AlarmLife
  #transition: number
  #since: Millis
  #follows = false
  readonly #untold: Untold
  /** Readings up to this one show nothing new: what came of them was told before they were heard. */
  #toldTo: Cause | null
  /** By the gateway's clock: when it was to be decided here. */
  #ledSince: Millis = 0

  readonly #era: Era

  constructor(name: string, rule: Rule, revision: string, snapshot: AlarmSnapshot | null, era: Era) {
    this.#era = era
    this.name = name
    this.rule = rule
    this.revision = revision
    // Of a rule that decides otherwise now, what was counted and timed says nothing; what people were told stays.
    const same = snapshot?.revision === revision
    this.#memory = same ? snapshot.memory : null
    this.#recent = same ? snapshot.recent : []
    this.#timing = same ? snapshot.timing : { ...freshTiming(), counts: snapshot?.life.condition ?? null }
    this.#life = snapshot?.life ?? freshLife()
    this.#transition = snapshot?.transition ?? 0
    this.#since = snapshot?.since ?? 0
    this.#untold = new Untold(same ? snapshot.untold : [])
    this.#toldTo = same ? (snapshot.toldTo ?? null) : null
  }

  /** Number of its newest transition; 0 before the first. */
  get transition(): number {
    return this.#transition
  }

  /** Names the series of its transitions. */
  get since(): Millis {
    return this.#since
  }

  get follows(): boolean {
    return this.#follows
  }

  get state(): AlarmState {
    return stateOf(this.#life)
  }

  /** When it comes back by itself; null unless it is shelved. */
  get shelvedUntil(): Millis | null {
    return this.#life.shelvedUntil
  }

  get condition(): string | null {
    return this.#life.condition
  }

  /** What leaves it as it is; null while it is not normal, or something is under way, or it looks at more than one reading. */
  get calm(): Calm | null {
    const { condition, of } = this.rule
    const { counts, pending } = this.#timing
    const isStill = counts === null && pending === null && this.#toldTo === null && this.#untold.isEmpty
    const band = isStill && of === null && this.#life.shelvedUntil === null ? restBand(condition) : null
    const silence = condition.kind === 'missing' && !this.#follows ? condition.after : null
    return band && { ...band, silence }
  }

  /**
   * @param time its event time, or that of a reading of another metric which came before it
   * @param heard when the gateway heard it
   * @param last the reading before this one
   */
  evaluate(reading: Reading, time: Millis, heard: Millis, last: Reading): readonly Transition[] {
    const { condition } = this.rule
    if (condition.kind === 'missing') return NONE
    const sample = { value: reading.value, time }
    this.#memory ??= freshMemory(condition, sample)
    const active = countsAt(this.#timing, time, this.rule)
    const shown = evaluate(condition, this.#memory, reading.metric, sample, active)
    if (shown === undefined) return NONE
    const { of } = this.rule
    const counted = of ? mOfN(this.#recent, shown, of) : shown
    return this.#isTold(reading) ? NONE : this.#observe(counted, time, heard, reading, last)
  }

  /** Of one that waits for silence: the series was heard of, by whatever reading. */
  hear(reading: Reading, heard: Millis, last: Reading): readonly Transition[] {
    return this.#isTold(reading) ? NONE : this.#observe(null, heard, heard, reading, last)
  }

  /**
   * When something happens by the gateway's clock if nothing is heard until then; null when nothing does.
   *
   * @param heard when the gateway last heard of the series
   * @param lateness how long readings wait for those before them: what could contradict may come as late as that
   */
  due(heard: Millis, lateness: Millis): Millis | null {
    const settles = this.#settlesAt(lateness)
    if (this.#follows) return settles
    const first = earliest(settles, earliest(this.#silentAt(heard), this.#life.shelvedUntil))
    return this.#untold.isEmpty ? first : earliest(first, this.#ledSince)
  }

  /** The gateway's clock has come to `now`. */
  pass(now: Millis, heard: Millis, lateness: Millis, last: Reading): Transition[] {
    const found: Transition[] = []
    if (!this.#follows && this.#ledSince <= now) this.#tellUntold(found)
    const silent = this.#follows ? null : this.#silentAt(heard)
    if (silent !== null && silent <= now) found.push(...this.#observe('missing', silent, silent, last, last))
    const due = this.#settlesAt(lateness)
    const change = due !== null && due <= now ? settle(this.#timing, this.rule) : null
    if (change) this.#happen(change, last, found)
    const { shelvedUntil } = this.#life
    if (!this.#follows && shelvedUntil !== null && shelvedUntil <= now)
      this.#become({ kind: 'unshelve' }, 'expired', shelvedUntil, last, found)
    return found
  }

  /** What a person or a program does to it; null when that cannot be done in its state. */
  act(action: Action, at: Millis, last: Reading, note: ActionNote): Transition | null {
    const found: Transition[] = []
    this.#become(action, action.kind, at, last, found, note)
    return found[0] ?? null
  }

  /** Its rule is gone. People who were told of the alarm are told that; null when there is nothing to tell. */
  remove(at: Millis, last: Reading): Transition | null {
    if (this.state === 'normal') return null
    const found: Transition[] = []
    this.#become({ kind: 'remove' }, 'removed', at, last, found)
    return found[0] ?? null
  }

  /** Another gateway decides it from now on. */
  follow(): void {
    this.#follows = true
  }

  /** It is decided here again, as it was before: it only listened. */
  lead(): void {
    this.#follows = false
  }

  /** It is decided here from now on, by this gateway's clock, that says `at`. What nobody has told of is due at once. */
  takeOver(at: Millis): void {
    this.#follows = false
    this.#ledSince = at
    // By this gateway's clock nothing was received later than that.
    const cause = this.#toldTo
    if (cause) this.#toldTo = { ...cause, received: Math.min(cause.received, at - 1) }
    const { pending } = this.#timing
    if (pending) pending.received = Math.min(pending.received, at)
    if (this.#untold.isEmpty) this.#countAsTold()
  }

  /**
   * Another gateway has told of it.
   *
   * @param decides whether it is that gateway that decides it
   * @param last the reading that was looked at last
   * @returns false when it had told of that, or of more, before
   */
  heed(told: PeerTold, decides: boolean, last: Reading): boolean {
    // Of two that have told under one name the chain decides: then it settles.
    if (!this.isBehind(told)) return false
    this.#take(told)
    this.#catchUp(told, last, decides || this.#follows)
    return true
  }

  /** What another gateway may lack that has heard the readings up to `last`; null when nothing was ever told of it. */
  known(last: Reading): KnownAlarm | null {
    if (this.#transition === 0) return null
    const { metric, value, received, time, seq, session, life } = last
    const reading = { metric, value, received, time, seq, session, life }
    const { cleared } = this.#timing
    return { name: this.name, since: this.#since, transition: this.#transition, life: this.#life, cleared, reading }
  }

  /** Takes that from another gateway. @returns false when as much is known here */
  learn(known: KnownAlarm, last: Reading): boolean {
    if (!this.isBehind(known)) return false
    const { since, transition, life, cleared, reading } = known
    this.#since = since
    this.#transition = transition
    this.#life = life
    this.#countAs(life.condition, cleared ?? 0)
    // Readings before it may come yet, from a third gateway.
    this.#toldTo = isLater(last, reading) ? null : reading
    return true
  }

  /** Whether more was told of it than is known here. */
  isBehind({ since, transition }: Pick<PeerTold, 'since' | 'transition'>): boolean {
    return since > this.#since || (since === this.#since && transition > this.#transition)
  }

  /** Whether it has come further than what another gateway tells of, or as far. */
  isPast({ since, transition, state }: PeerTold): boolean {
    if (since !== this.#since || transition > this.#transition) return false
    return transition < this.#transition || state === this.state
  }

  /**
   * Two gateways have told of it under the same names, and this is what holds. What has become of it since is told behind that.
   *
   * @param at event time of what is told
   */
  settle(told: PeerTold, at: Millis, last: Reading, ours: Ours | null): readonly Transition[] {
    const found: Transition[] = []
    this.#take(told)
    // Whoever told knows a later reading than was heard here: it has the last word, see `Engine.heed`.
    const knowsMore = typeof told.by !== 'object' && !isCause(told.reading, last) && isLater(told.reading, last)
    if (this.#follows || knowsMore) this.#catchUp(told, last, true)
    else {
      if (told.by === 'readings') this.#untold.told(told.condition, told.at)
      this.#tellUntold(found)
      const { counts } = this.#timing
      // Told under another number now, but as it was told: when, and by which reading.
      const isOurs = ours !== null && ours.condition === counts
      this.#turn(counts, isOurs ? ours.at : at, isOurs ? ours.reading : last, found)
    }
    return found
  }

  /** null when there is nothing to remember: it is as a new one would be. */
  toJSON(): AlarmSnapshot | null {
    const { counts, pending, cleared } = this.#timing
    const untouched = this.#transition === 0 && this.#memory === null && this.#recent.length === 0
    const still = counts === null && pending === null && cleared === null
    if (untouched && still && stateOf(this.#life) === 'normal') return null
    const snapshot: AlarmSnapshot = {
      revision: this.revision,
      memory: this.#memory,
      recent: this.#recent,
      timing: this.#timing,
      life: this.#life,
      transition: this.#transition,
      since: this.#since,
    }
    if (!this.#untold.isEmpty) snapshot.untold = this.#untold.toJSON()
    if (this.#toldTo !== null) snapshot.toldTo = this.#toldTo
    return snapshot
  }

  /** It has become what was told. */
  #take(told: PeerTold): void {
    this.#transition = told.transition
    this.#since = told.since
    this.#life = lifeTold(this.#life, told, this.rule.latch)
  }

  /**
   * What readings show is brought to what was told of them.
   *
   * @param last the reading that was looked at last
   * @param mayWait whether those that what was told knows of may come yet
   */
  #catchUp({ by, condition, at, reading }: PeerTold, last: Reading, mayWait: boolean): void {
    if (by === 'removal') this.#countAs(null, at)
    else if (by === 'readings' && !this.#untold.told(condition, at)) {
      const { pending } = this.#timing
      const isDue = pending !== null && pending.to === condition && becomesAt(this.#timing, this.rule) === at
      if (this.#untold.isEmpty && isDue) settle(this.#timing, this.rule)
      else {
        this.#countAs(condition, at)
        this.#toldTo = mayWait && !isLater(last, reading) && !isCause(reading, last) ? reading : null
      }
    }
    // Nobody will be told: the other one knows of it as this one does.
    if (!isAnnounced(this.#life)) this.#tellUntold([])
  }

  #countAs(condition: string | null, at: Millis): void {
    this.#untold.take()
    countAs(this.#timing, condition, at)
  }

  /** What was told is what counts: whoever told it may have seen readings that were not heard here. */
  #countAsTold(): void {
    const { condition } = this.#life
    if (condition === this.#timing.counts) return
    this.#timing.counts = condition
    this.#timing.pending = null
  }

  #isTold(reading: Reading): boolean {
    const cause = this.#toldTo
    if (cause === null) return false
    const isLast = isCause(cause, reading)
    const isPast = isLater(reading, cause)
    if (isLast || isPast) this.#toldTo = null
    return !isPast
  }

  #tellUntold(found: Transition[]): void {
    if (this.#untold.isEmpty) return
    for (const { to, at, reading } of this.#untold.take()) this.#turn(to, at, reading, found)
  }

  /** When silence has lasted long enough; null when that is known already. */
  #silentAt(heard: Millis): Millis | null {
    const { condition } = this.rule
    const { counts, pending } = this.#timing
    const isKnown = pending === null ? counts !== null : pending.to !== null
    return condition.kind === 'missing' && !isKnown ? heard + condition.after : null
  }

  /** When the pending change happens if nothing contrary is heard. Silence is heard by the clock, and never late. */
  #settlesAt(lateness: Millis): Millis | null {
    const due = dueAt(this.#timing, this.rule)
    return due === null || this.rule.condition.kind === 'missing' ? due : due + lateness
  }

  #observe(
    shown: string | null,
    time: Millis,
    received: Millis,
    reading: Reading,
    last: Reading,
  ): readonly Transition[] {
    // As nearly always: nothing changes.
    if (shown === this.#timing.counts && this.#timing.pending === null) return NONE
    const found: Transition[] = []
    for (const change of observe(this.#timing, shown, time, received, this.rule))
      this.#happen(change, change.by === 'reading' ? reading : last, found)
    return found
  }

  #happen({ to, at }: Change, reading: Reading, found: Transition[]): void {
    // What comes first is told first.
    const waits = !this.#untold.isEmpty || (this.#follows && isAnnounced(this.#life))
    if (waits) this.#untold.add({ to, at, reading }, this.#life.condition)
    else this.#turn(to, at, reading, found)
  }

  /** Its condition is another one. */
  #turn(to: string | null, at: Millis, reading: Reading, found: Transition[]): void {
    const from = this.#life.condition
    const { latch } = this.rule
    if (from === to) return
    if (to === null) this.#become({ kind: 'clear', latch }, 'cleared', at, reading, found)
    else if (from === null) this.#become({ kind: 'raise', condition: to }, 'raised', at, reading, found)
    else
      this.#become(
        { kind: 'change', condition: to, worse: isWorse(this.rule, from, to) },
        'changed',
        at,
        reading,
        found,
      )
  }

  #become(
    happening: Happening,
    kind: Transition['kind'],
    at: Millis,
    reading: Reading,
    found: Transition[],
    note: ActionNote | null = null,
  ): void {
    const before = this.#life
    const after = live(before, happening)
    if (after === null) return
    this.#life = after
    const fromReadings = happening.kind === 'raise' || happening.kind === 'change' || happening.kind === 'clear'
    const announced = !fromReadings || isAnnounced(after)
    if (announced && this.#transition++ === 0) this.#since = Math.max(at, this.#era.from)
    found.push({
      kind,
      announced,
      number: this.#transition,
      since: this.#since,
      at,
      from: stateOf(before),
      to: stateOf(after),
      was: before.condition,
      is: after.condition,
      reading,
      note,
    })
  }
}
