import type { Millis } from '../../sync/contract/index.ts'

/** How long a condition must hold, or be gone, before that counts. */
export interface Delays {
  /** On-delay. */
  for: Millis
  /** Off-delay. */
  clearFor: Millis
  /** Least time between a clearing and the next raising. */
  reraiseAfter: Millis
}

/** What the alarm is to become unless a reading says otherwise in time. */
interface Pending {
  to: string | null
  /** Event time at which the condition became like that, and when the gateway heard of it. */
  since: Millis
  received: Millis
}

/**
 * The condition as it counts, and what it is on the way to.
 *
 *     steady --another condition--> pending --held for the delay--> steady (changed)
 *        ^                             |
 *        +---- the condition as it counts is back ----+
 *
 * A value counts until the next one comes: when nothing contrary is heard in time, the change happens at the moment it was
 * due, whether a later reading or the passing of time shows that.
 */
export interface TimingState {
  counts: string | null
  pending: Pending | null
  /** Event time of the last clearing. */
  cleared: Millis | null
  /** Another gateway told of that clearing, by its own clock. */
  clearedElsewhere?: boolean
}

/** The condition as it counts has changed. */
export interface Change {
  from: string | null
  to: string | null
  /** Event time. */
  at: Millis
  /** `time`: it was due before the reading that showed it, or without one. */
  by: 'reading' | 'time'
}

export const freshTiming = (): TimingState => ({ counts: null, pending: null, cleared: null })

/** What a reading changes: at most two changes, when it comes after something else was due. */
export function observe(
  state: TimingState,
  condition: string | null,
  time: Millis,
  received: Millis,
  delays: Delays,
): Change[] {
  const changes: Change[] = []
  const before = settleDue(state, time, delays, 'time')
  if (before) changes.push(before)
  if (condition === state.counts) state.pending = null
  else {
    const { pending } = state
    if (pending && sameWay(state.counts, pending.to, condition)) pending.to = condition
    else state.pending = { to: condition, since: time, received }
    const after = settleDue(state, time, delays, 'reading')
    if (after) changes.push(after)
  }
  return changes
}

/** When the pending change is due by the gateway's clock, should nothing more be heard; null when there is none. */
export function dueAt(state: TimingState, delays: Delays): Millis | null {
  const { pending } = state
  return pending ? pending.received + waitOf(state, pending, delays) : null
}

/** The event time of the pending change, should nothing more be heard; null when there is none. */
export function becomesAt(state: TimingState, delays: Delays): Millis | null {
  const { pending } = state
  return pending ? pending.since + waitOf(state, pending, delays) : null
}

/** The condition as it counts at an event time that no reading was taken in for yet. */
export function countsAt(state: TimingState, time: Millis, delays: Delays): string | null {
  const { pending } = state
  return pending && pending.since + waitOf(state, pending, delays) <= time ? pending.to : state.counts
}

/** The pending change happens, because nothing contrary was heard until `dueAt`. */
export function settle(state: TimingState, delays: Delays): Change | null {
  const { pending } = state
  return pending ? change(state, pending.to, pending.since + waitOf(state, pending, delays), 'time') : null
}

function settleDue(state: TimingState, time: Millis, delays: Delays, by: Change['by']): Change | null {
  const { pending } = state
  if (!pending) return null
  const due = pending.since + waitOf(state, pending, delays)
  return time >= due ? change(state, pending.to, due, by) : null
}

/** The condition counts as it was found to be elsewhere. */
export function countAs(state: TimingState, condition: string | null, at: Millis): void {
  if (condition === null && state.counts !== null) {
    state.cleared = at
    state.clearedElsewhere = true
  }
  state.counts = condition
  state.pending = null
}

function change(state: TimingState, to: string | null, at: Millis, by: Change['by']): Change {
  const from = state.counts
  state.counts = to
  state.pending = null
  if (to === null) {
    state.cleared = at
    delete state.clearedElsewhere
  }
  return { from, to, at, by }
}

/** From `pending.since` on. */
function waitOf(state: TimingState, pending: Pending, delays: Delays): Millis {
  if (pending.to === null) return delays.clearFor
  if (state.counts !== null || state.cleared === null) return delays.for
  const since = pending.since - state.cleared
  // A clock elsewhere that is ahead makes nobody wait here until the own one has come there.
  return Math.max(delays.for, delays.reraiseAfter - (state.clearedElsewhere ? Math.max(0, since) : since))
}

/** Both raise, both clear, or both go from one step to another: then the delay goes on, it does not begin anew. */
const sameWay = (from: string | null, one: string | null, other: string | null): boolean =>
  from === null ? true : (one === null) === (other === null)
