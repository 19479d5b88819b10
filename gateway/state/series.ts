import type { Offset, Reading } from '../../sync/contract/index.ts'
import { isLater, tellsLife } from '../rules/index.ts'
import { type Counted, Life, type LifeState } from './life.ts'

/** What is stored of one series. */
export interface SeriesSnapshot {
  lives: LifeState[]
  recent: string[]
  last: Reading
  /** Offset after the last own record that this snapshot knows. */
  appliedTo: Offset
}

/** Lives that are remembered, so that a late repeat from before a restart is still known. */
const LIVES = 3

/**
 * Everything remembered of one series (one metric of one device): what was seen of it, and its last value.
 *
 * A reading is a repeat by the best thing that its device gives: `seq` (exact, without a time window), else `id`, else
 * timestamp and value (both within the last `window` readings), else never.
 */
export class Series {
  #lives: Life[]
  readonly #recent: Set<string>
  #last: Reading
  #appliedTo: Offset
  /** Set when used, cleared when passed over: what is not used for a whole round is forgotten first. */
  used = true

  private constructor(snapshot: SeriesSnapshot) {
    this.#lives = snapshot.lives.map((life) => new Life(life))
    this.#recent = new Set(snapshot.recent)
    this.#last = snapshot.last
    this.#appliedTo = snapshot.appliedTo
  }

  static restore(snapshot: SeriesSnapshot): Series {
    return new Series(snapshot)
  }

  /** A series whose first reading this is. @param appliedTo see `SeriesSnapshot` */
  static begin(reading: Reading, appliedTo: Offset, window: number): Series {
    const series = new Series({ lives: [], recent: [], last: reading, appliedTo })
    series.#add(reading, window)
    return series
  }

  /** The newest reading by arrival. */
  get last(): Reading {
    return this.#last
  }

  get appliedTo(): Offset {
    return this.#appliedTo
  }

  /** Whether the reading was seen before. `dup`: MQTT marks it as sent again. */
  isRepeat(reading: Reading, dup: boolean): boolean {
    if (isCounted(reading)) {
      for (const life of this.#lives) if (life.has(reading.seq) && this.#owns(life, reading, dup)) return true
      return false
    }
    const key = recentKey(reading)
    return key !== null && this.#recent.has(key)
  }

  /**
   * Which life of its counter the device is in when it says this here, see `Reading.life`. What it says is the last that it has to say, so of
   * two lives that gateways numbered without knowing of each other that one becomes the later that goes on.
   */
  lifeOf(reading: Reading): number {
    if (!isCounted(reading) || !tellsLife(reading)) return 1
    const own = this.#lifeFor(reading)
    let others = 0
    for (const life of this.#lives) if (life !== own) others = Math.max(others, life.number)
    // That of the last reading may be forgotten meanwhile.
    const newest = Math.max(others, own?.number ?? 0, this.#last.life ?? 0)
    return own && own.number === newest && newest > others ? newest : newest + 1
  }

  /**
   * Takes in a reading that is no repeat. Deterministic: the same readings in the same order lead to the same state, so
   * that what is not in a snapshot can be replayed.
   */
  apply(reading: Reading, offset: Offset, window: number): void {
    this.#last = reading
    this.#appliedTo = offset + 1
    this.#add(reading, window)
  }

  /** The same of a reading that a peer accepted. It may come here later than others that the peer accepted later. */
  hear(reading: Reading, window: number): void {
    if (!isLater(this.#last, reading)) this.#last = reading
    this.#add(reading, window)
  }

  toJSON(): SeriesSnapshot {
    return {
      lives: this.#lives.map((life) => life.toJSON()),
      recent: [...this.#recent],
      last: this.#last,
      appliedTo: this.#appliedTo,
    }
  }

  #add(reading: Reading, window: number): void {
    this.used = true
    if (isCounted(reading)) {
      const life = this.#lifeFor(reading)
      if (life) life.add(reading)
      else {
        // The device has started anew (or is heard for the first time).
        this.#lives.push(Life.begin(reading))
        if (this.#lives.length > LIVES) this.#lives.shift()
      }
      return
    }
    const key = recentKey(reading)
    if (key === null) return
    this.#recent.add(key)
    if (this.#recent.size > window) for (const oldest of this.#recent) return void this.#recent.delete(oldest)
  }

  /** The life that a reading which is no repeat goes on with; undefined when it begins a new one. */
  #lifeFor(reading: Counted): Life | undefined {
    for (let i = this.#lives.length - 1; i >= 0; i--) {
      const life = this.#lives[i]
      if (life && !life.has(reading.seq) && this.#owns(life, reading, false)) return life
    }
    return undefined
  }

  /** Whether the reading can be one of this life: by its session id, by number and timestamp, or as the newest of its kind. */
  #owns(life: Life, reading: Counted, dup: boolean): boolean {
    if (life.session !== reading.session) return false
    if (life.session !== undefined) return true
    if (life.canTell(reading)) return life.fits(reading)
    return life === this.#lives.findLast(({ session }) => session === undefined) && life.goesOn(reading, dup)
  }
}

function isCounted(reading: Reading): reading is Counted {
  return reading.seq !== undefined
}

function recentKey(reading: Reading): string | null {
  if (reading.id !== undefined) return `i${reading.id}`
  if (reading.time !== undefined) return `t${reading.time}=${reading.value}`
  return null
}
