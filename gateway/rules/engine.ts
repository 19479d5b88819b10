import type { Millis, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import { Alarm } from './alarm.ts'
import { AlarmGroup, type GroupSnapshot, type Told } from './alarm-group.ts'
import { DueQueue } from './due-queue.ts'
import { toEvent } from './event.ts'
import type { RuleSet, Selected } from './rule-set.ts'

/** A group and its place in the queue. */
interface Held {
  name: string
  group: AlarmGroup
  /** When it is looked at next. */
  queued: Millis | null
}

/** The groups that hear one series. */
interface Slot {
  labels: Reading['labels']
  groups: readonly Held[]
}

/**
 * Decides the rules of a set over all series. Part of the deterministic state machine: time comes in with the readings
 * (`received`) and as `advance`, never from a clock, and how often `advance` is called makes no difference to what is decided: whatever is
 * due happens in the order in which it is due, at the time at which it is due.
 */
export class Engine {
  readonly #rules: RuleSet
  readonly #slots = new Map<string, Map<string, Slot>>()
  readonly #held = new Map<string, Held>()
  readonly #due = new DueQueue<Held>()
  #now: Millis = 0

  constructor(rules: RuleSet) {
    this.#rules = rules
  }

  /** Takes in a reading, after everything that was due before it came. */
  apply(reading: Reading): ThresholdEvent[] {
    const events = this.advance(reading.received)
    for (const held of this.#slotOf(reading).groups) {
      for (const told of held.group.apply(reading)) events.push(eventOf(told))
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
      const { at, what: held } = next
      // Its series was bound anew since, under other labels.
      if (this.#held.get(held.name) !== held) continue
      if (held.queued === at) held.queued = null
      // Nothing for a group that was heard of since it was put into the queue: its turn comes later.
      for (const told of held.group.pass(at)) events.push(eventOf(told))
      this.#schedule(held)
    }
    return events
  }

  /** Every group that remembers anything, by name. */
  *snapshot(): Iterable<readonly [name: string, snapshot: GroupSnapshot]> {
    for (const { name, group } of this.#held.values()) yield [name, group.toJSON()]
  }

  /** What `snapshot` said, all of it, before any reading. */
  restore(stored: ReadonlyMap<string, GroupSnapshot>): void {
    for (const { last, heard } of stored.values()) {
      this.#now = Math.max(this.#now, heard)
      this.#slotOf(last, stored)
    }
  }

  #slotOf(reading: Reading, stored?: ReadonlyMap<string, GroupSnapshot>): Slot {
    let metrics = this.#slots.get(reading.device)
    if (!metrics) {
      metrics = new Map()
      this.#slots.set(reading.device, metrics)
    }
    const known = metrics.get(reading.metric)
    if (known && sameLabels(known.labels, reading.labels)) return known
    const slot = { labels: reading.labels, groups: this.#bind(reading, stored) }
    metrics.set(reading.metric, slot)
    return slot
  }

  /** The groups of a series that is heard of for the first time, or under other labels. */
  #bind(reading: Reading, stored: ReadonlyMap<string, GroupSnapshot> = new Map()): Held[] {
    const { device, metric, labels = {} } = reading
    const selected = this.#rules.select({ device, metric, labels }).filter(({ rule }) => rule.enabled)
    const several = selected.filter(({ rule }) => rule.condition.kind === 'when')
    const single = selected.filter(({ rule }) => rule.condition.kind !== 'when')
    const groups = several.map((one) =>
      this.#hold(JSON.stringify(['rule', device, one.rule.id]), [one], reading, stored),
    )
    if (single.length > 0) groups.push(this.#hold(JSON.stringify(['series', device, metric]), single, reading, stored))
    return groups
  }

  #hold(
    name: string,
    selected: readonly Selected[],
    reading: Reading,
    stored: ReadonlyMap<string, GroupSnapshot>,
  ): Held {
    const known = this.#held.get(name)
    const several = selected.some(({ rule }) => rule.condition.kind === 'when')
    // A test over several metrics is heard of once for each of them.
    if (known && several) return known
    const before = stored.get(name) ?? known?.group.toJSON()
    const alarms = selected.map(({ rule, revision, many }) => {
      const alarm = many ? `${rule.id}@${reading.metric}` : rule.id
      return new Alarm(alarm, rule, revision, before?.alarms[alarm] ?? null)
    })
    const state = before ?? { newest: {}, at: null, heard: reading.received, last: reading, waiting: [] }
    const held: Held = { name, group: new AlarmGroup(alarms, this.#rules.lateness, state), queued: null }
    this.#held.set(name, held)
    this.#schedule(held)
    return held
  }

  /** Keeps the group in the queue at its due time or earlier. */
  #schedule(held: Held): void {
    const { due } = held.group
    if (due === null || (held.queued !== null && held.queued <= due)) return
    held.queued = due
    this.#due.push(due, held.name, held)
  }
}

const eventOf = ({ alarm, transition }: Told): ThresholdEvent => toEvent(alarm, transition)

function sameLabels(one: Reading['labels'], other: Reading['labels']): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
