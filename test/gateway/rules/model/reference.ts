import type { Action, AlarmState } from '../../../../gateway/rules/lifecycle.ts'
import type { Rule } from '../../../../gateway/rules/rule.ts'
import type { Millis, Reading } from '../../../../sync/contract/index.ts'
import { type Happened, History } from './history.ts'
import { isWorse, shows, type Taken } from './shows.ts'

/** A transition, as far as the model compares it. */
export interface Said {
  kind: string
  number: number
  at: Millis
  from: AlarmState
  to: AlarmState
  was: string | null
  is: string | null
  reading: Reading
}

/** What the alarm's condition was at some moment. */
interface Shown {
  condition: string | null
  /** Event time, and when the gateway heard of it. */
  time: Millis
  received: Millis
}

/** A change of what counts that happens unless something contrary is heard. */
interface Pending {
  to: string | null
  due: Millis
  /** When nothing contrary can be heard any more, by the gateway's clock. */
  dueByClock: Millis
}

/** Nothing is measured after it is heard. */
const timeOf = ({ time, received }: Reading): Millis => Math.min(time ?? received, received)

/**
 * One alarm by the definitions, slow and plain: it keeps all that it ever heard, and works out everything from that each time.
 * Nothing of the rules' code is used.
 */
export class Reference {
  readonly #rule: Rule
  readonly #lateness: Millis
  #first: Reading | null = null
  #heard: Millis = 0
  readonly #waiting: Reading[] = []
  readonly #taken: Taken[] = []
  /** What each reading showed that said anything. */
  readonly #shownByReadings: (string | null)[] = []
  /** What was shown since what counts changed last. */
  #shown: Shown[] = []
  #counts: string | null = null
  #cleared: Millis | null = null
  readonly #life = new History()
  #said: Said[] = []
  #number = 0

  constructor(rule: Rule, lateness: Millis) {
    this.#rule = rule
    this.#lateness = lateness
  }

  /** A reading of one of its metrics comes in. */
  hear(reading: Reading): Said[] {
    this.#pass(reading.received)
    this.#first ??= reading
    this.#heard = Math.max(this.#heard, reading.received)
    if (this.#rule.condition.kind === 'missing') this.#show(null, this.#heard, this.#heard, reading)
    // What the device itself does not trust shows only that it is there.
    if (reading.quality !== 'bad') {
      this.#waiting.push(reading)
      const newest = Math.max(...this.#waiting.map(timeOf))
      this.#takeInOrder(this.#waiting.filter((one) => timeOf(one) + this.#lateness <= newest))
    }
    return this.#take()
  }

  /** The gateway's clock has come to `now`. */
  tick(now: Millis): Said[] {
    this.#pass(now)
    return this.#take()
  }

  act(action: Action, now: Millis): Said[] {
    this.#pass(now)
    if (this.#first && this.#life.allows(action)) this.#happen(action, action.kind, now, this.#last)
    return this.#take()
  }

  #take(): Said[] {
    const said = this.#said
    this.#said = []
    return said
  }

  /** The reading that was taken in last. */
  get #last(): Reading {
    const last = this.#taken.at(-1)?.reading ?? this.#first
    if (!last) throw new Error('nothing was heard yet')
    return last
  }

  /** Everything that is due by `now` happens, in the order in which it is due; of what is due at once, readings come first. */
  #pass(now: Millis): void {
    for (;;) {
      const due = [
        this.#nextRelease(),
        this.#pending()?.dueByClock ?? null,
        this.#nextSilence(),
        this.#life.shelvedUntil,
      ]
      const times = due.filter((at) => at !== null)
      const at = Math.min(...times)
      if (times.length === 0 || at > now) return
      switch (due.indexOf(at)) {
        case 0: {
          const may = this.#waiting.filter(({ received }) => received + this.#lateness <= at)
          const upTo = Math.max(...may.map(timeOf))
          this.#takeInOrder(this.#waiting.filter((one) => timeOf(one) < upTo || may.includes(one)))
          break
        }
        case 1: {
          const pending = this.#pending()
          if (pending) this.#change(pending.to, pending.due, this.#last)
          break
        }
        case 2:
          this.#show('missing', at, at, this.#last)
          break
        default:
          this.#happen({ kind: 'unshelve' }, 'expired', at, this.#last)
      }
    }
  }

  #nextRelease(): Millis | null {
    return this.#waiting.length === 0
      ? null
      : Math.min(...this.#waiting.map(({ received }) => received)) + this.#lateness
  }

  /** When silence has lasted long enough; null when that is known already. */
  #nextSilence(): Millis | null {
    const { condition } = this.#rule
    if (condition.kind !== 'missing' || !this.#first) return null
    const at = this.#heard + condition.after
    const isKnown =
      this.#shown.at(-1)?.condition === 'missing' || (this.#shown.length === 0 && this.#counts === 'missing')
    return isKnown ? null : at
  }

  #takeInOrder(readings: readonly Reading[]): void {
    const inOrder = readings
      .map((reading, i) => ({ reading, i }))
      .sort((a, b) => timeOf(a.reading) - timeOf(b.reading) || a.i - b.i)
    for (const { reading } of inOrder) {
      this.#waiting.splice(this.#waiting.indexOf(reading), 1)
      this.#takeIn(reading)
    }
  }

  #takeIn(reading: Reading): void {
    const time = timeOf(reading)
    const before = this.#taken.filter((taken) => taken.reading.metric === reading.metric)
    if (before.some((taken) => timeOf(taken.reading) > time)) return
    const at = Math.max(time, ...this.#taken.map((taken) => taken.at))
    const last = this.#last
    this.#taken.push({ reading, at })
    if (this.#rule.condition.kind === 'missing') return

    const pending = this.#pending()
    const active = pending && pending.due <= at ? pending.to : this.#counts
    const shown = shows(this.#rule.condition, this.#taken, active)
    if (shown === undefined) return
    this.#shownByReadings.push(shown)
    if (pending && pending.due <= at) this.#change(pending.to, pending.due, last)
    this.#show(this.#ofLast(shown), at, reading.received, reading)
  }

  /** At least m of the last n. */
  #ofLast(shown: string | null): string | null {
    const { of } = this.#rule
    if (of === null) return shown
    const found = this.#shownByReadings.slice(-of.n).filter((one) => one !== null)
    return found.length < of.m ? null : (found.at(-1) ?? null)
  }

  #show(condition: string | null, time: Millis, received: Millis, reading: Reading): void {
    this.#shown.push({ condition, time, received })
    const pending = this.#pending()
    if (pending && pending.due <= time) this.#change(pending.to, pending.due, reading)
  }

  /** The last stretch of readings that all say: raise (or: clear, or: change), if it is the end of all that was shown. */
  #pending(): Pending | null {
    const newest = this.#shown.at(-1)
    if (!newest || newest.condition === this.#counts) return null
    const way = ({ condition }: Shown): string => {
      if (condition === this.#counts) return 'stay'
      if (this.#counts === null) return 'raise'
      return condition === null ? 'clear' : 'change'
    }
    const start = this.#shown.findLastIndex((one) => way(one) !== way(newest)) + 1
    const { time, received } = this.#shown[start] ?? newest
    const { for: onDelay, clearFor, reraiseAfter, condition } = this.#rule
    let due = time + (way(newest) === 'clear' ? clearFor : onDelay)
    if (way(newest) === 'raise' && this.#cleared !== null) due = Math.max(due, this.#cleared + reraiseAfter)
    // Silence is heard by the clock itself. Of everything else the gateway hears as late as that is.
    const late = condition.kind === 'missing' ? 0 : this.#lateness
    return { to: newest.condition, due, dueByClock: received + (due - time) + late }
  }

  #change(to: string | null, at: Millis, reading: Reading): void {
    const from = this.#counts
    this.#counts = to
    this.#shown = []
    if (to === null) {
      this.#cleared = at
      this.#happen({ kind: 'clear', latch: this.#rule.latch }, 'cleared', at, reading)
    } else if (from === null) this.#happen({ kind: 'raise', condition: to }, 'raised', at, reading)
    else this.#happen({ kind: 'change', condition: to, worse: isWorse(this.#rule, from, to) }, 'changed', at, reading)
  }

  #happen(happened: Happened, kind: string, at: Millis, reading: Reading): void {
    const [from, was] = [this.#life.state, this.#life.condition]
    this.#life.add(happened)
    const byReadings = kind === 'raised' || kind === 'changed' || kind === 'cleared'
    const { outOfService, suppressed, shelvedUntil } = this.#life
    if (byReadings && (outOfService || suppressed || shelvedUntil !== null)) return
    this.#number++
    this.#said.push({
      kind,
      number: this.#number,
      at,
      from,
      to: this.#life.state,
      was,
      is: this.#life.condition,
      reading,
    })
  }
}
