import type { Millis, Reading } from '../../sync/contract/index.ts'
import { Seen, type SeenState } from './seen.ts'

/** What is stored of one life of a device's counter. */
export interface LifeState {
  session?: string
  seen: SeenState
  /** Oldest and newest device timestamp of this life; absent when the device gives none. */
  oldest?: Millis
  newest?: Millis
  /** The first numbers of this life with their timestamps: a restart begins with these numbers again. */
  begin: [seq: number, time: Millis][]
}

const REMEMBERED_BEGINNING = 8

/** A reading whose device counts. */
export type Counted = Reading & { seq: number }

/**
 * One life of a device's counter: from a start of the device (or the first time it was heard) to its restart. Numbers are
 * unique within a life, not beyond it.
 */
export class Life {
  readonly session: string | undefined
  readonly #seen: Seen
  #oldest: Millis | undefined
  #newest: Millis | undefined
  readonly #begin: [seq: number, time: Millis][]

  constructor(state: LifeState) {
    this.session = state.session
    this.#seen = new Seen(state.seen)
    this.#oldest = state.oldest
    this.#newest = state.newest
    this.#begin = state.begin
  }

  static begin(reading: Counted): Life {
    const state: LifeState = { seen: Seen.from(reading.seq).toJSON(), begin: [] }
    if (reading.session !== undefined) state.session = reading.session
    const life = new Life(state)
    life.#note(reading)
    return life
  }

  /** Whether this life has a reading of this number, so that another one is a repeat or of another life. */
  has(seq: number): boolean {
    return this.#seen.has(seq)
  }

  /**
   * Whether a reading with a number that this life has (and without session id) is the same reading again. A repeat
   * carries the timestamp it had the first time; a device that started anew goes on in time, or falls behind the
   * beginning of this life if its clock was reset too. Without timestamps, counting that begins again at 0 or 1 is a
   * restart, unless MQTT itself says that it is a repeat.
   */
  repeats(reading: Counted, dup: boolean): boolean {
    const { seq, time } = reading
    if (time === undefined || this.#newest === undefined || this.#oldest === undefined)
      return dup || seq > 1 || this.#seen.max <= 1
    const begun = this.#begin.find(([first]) => first === seq)
    if (begun) return begun[1] === time
    return time >= this.#oldest && time <= this.#newest
  }

  /** Whether a reading without timestamp starts to count again although its number was not seen yet. */
  restartsUnseen(reading: Counted): boolean {
    return reading.time === undefined && reading.seq <= 1 && this.#seen.max > 1
  }

  /** Whether the reading's timestamp lies before everything of this life. */
  isAfter(time: Millis | undefined): boolean {
    return time !== undefined && this.#oldest !== undefined && time < this.#oldest
  }

  add(reading: Counted): void {
    this.#seen.add(reading.seq)
    this.#note(reading)
  }

  toJSON(): LifeState {
    const state: LifeState = { seen: this.#seen.toJSON(), begin: this.#begin }
    if (this.session !== undefined) state.session = this.session
    if (this.#oldest !== undefined) state.oldest = this.#oldest
    if (this.#newest !== undefined) state.newest = this.#newest
    return state
  }

  #note({ seq, time }: Counted): void {
    if (time === undefined) return
    if (this.#oldest === undefined || time < this.#oldest) this.#oldest = time
    if (this.#newest === undefined || time > this.#newest) this.#newest = time
    if (this.#begin.length < REMEMBERED_BEGINNING) this.#begin.push([seq, time])
  }
}
