import type { Millis, Reading } from '../../sync/contract/index.ts'
import { Seen, type SeenState } from './seen.ts'

/** A number of a counter with the device's timestamp of its reading. */
type Mark = [seq: number, time: Millis]

/** What is stored of one life of a device's counter. */
export interface LifeState {
  session?: string
  /** The highest that it was given, see `Reading.life`; absent in the first. */
  number?: number
  seen: SeenState
  /** The first readings of this life that were heard: a restart begins with their numbers again. */
  begin: Mark[]
  /** The newest, by number; absent when the device gives no timestamps. */
  newest?: Mark
}

const REMEMBERED_BEGINNING = 8

/** A clock that is being set right may go back by this much without the device having started anew. */
const CLOCK_SLACK: Millis = 1000

/** A reading whose device counts. */
export type Counted = Reading & { seq: number }

/**
 * One life of a device's counter: from a start of the device (or the first time it was heard) to its restart. Numbers are
 * unique within a life, not beyond it.
 */
export class Life {
  readonly session: string | undefined
  #number: number
  readonly #seen: Seen
  readonly #begin: Mark[]
  #newest: Mark | undefined

  constructor(state: LifeState) {
    this.session = state.session
    this.#number = state.number ?? 1
    this.#seen = new Seen(state.seen)
    this.#begin = state.begin
    this.#newest = state.newest
  }

  static begin(reading: Counted): Life {
    const state: LifeState = { seen: Seen.from(reading.seq).toJSON(), begin: [] }
    if (reading.session !== undefined) state.session = reading.session
    const life = new Life(state)
    life.#note(reading)
    return life
  }

  /** Its place among the lives of the device, as far as is known. */
  get number(): number {
    return this.#number
  }

  /** Whether this life has a reading of this number, so that another one is a repeat or of another life. */
  has(seq: number): boolean {
    return this.#seen.has(seq)
  }

  /** Whether timestamps tell if the reading can be one of this life. */
  canTell(reading: Counted): boolean {
    return reading.time !== undefined && this.#newest !== undefined
  }

  /**
   * Whether the reading's timestamp fits into this life: within a life, numbers and timestamps grow together, and a number
   * has one timestamp. A repeat carries the one that it had the first time, a device that started anew does not.
   */
  fits({ seq, time }: Counted): boolean {
    const newest = this.#newest
    if (time === undefined || newest === undefined) return true
    if (seq > newest[0] && time >= newest[1]) return true
    return agree(newest, seq, time) && this.#begin.every((mark) => agree(mark, seq, time))
  }

  /**
   * Whether the device goes on in this life, as far as it can be told without timestamps: counting that begins again at 0
   * or 1 is a restart, unless MQTT itself says that it is a repeat.
   */
  goesOn({ seq }: Counted, dup: boolean): boolean {
    return dup || seq > 1 || this.#seen.max <= 1
  }

  add(reading: Counted): void {
    this.#seen.add(reading.seq)
    this.#note(reading)
  }

  toJSON(): LifeState {
    const state: LifeState = { seen: this.#seen.toJSON(), begin: this.#begin }
    if (this.session !== undefined) state.session = this.session
    if (this.#number > 1) state.number = this.#number
    if (this.#newest !== undefined) state.newest = this.#newest
    return state
  }

  #note({ seq, time, session, life = 1 }: Counted): void {
    this.#number = Math.max(this.#number, life)
    // A session id tells lives apart by itself.
    if (time === undefined || session !== undefined) return
    if (this.#newest === undefined || seq > this.#newest[0]) this.#newest = [seq, time]
    if (this.#begin.length < REMEMBERED_BEGINNING) this.#begin.push([seq, time])
  }
}

function agree([seq, at]: Mark, number: number, time: Millis): boolean {
  if (number === seq) return time === at
  return number > seq ? time >= at - CLOCK_SLACK : time <= at + CLOCK_SLACK
}
