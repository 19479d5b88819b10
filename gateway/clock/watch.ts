import type { Millis } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'

/**
 * Who says that the clock is behind: the centre's clock, the calendar (nobody ever set it), most of the devices that tell the time, or
 * the outbox, which has blocks that were committed later.
 */
export type ClockWitness = 'centre' | 'calendar' | 'devices' | 'outbox'

export interface ClockBehind {
  says: ClockWitness
  /** At least how far; null where that is not known. */
  by: Millis | null
}

export interface ClockWatchParts {
  clock: Clock
  /** How far ahead of this clock the time of a device may be while it is believed. */
  maxFuture: Millis
  /** When the newest block of the outbox was committed, by this clock in an earlier life; null when there is none. */
  lastCommit: Millis | null
  changed(behind: ClockBehind | null): void
}

/** No gateway with a clock that was ever set says that it is earlier than this. */
export const CLOCK_NEVER_SET: Millis = Date.UTC(2020)
/** What setting a clock a little back costs, and the way to the centre. */
const SLACK: Millis = 60_000
/** Devices whose word is remembered. */
const MOST_DEVICES = 1000

/**
 * Whether the own clock can be believed when a device is ahead of it: ADR 17.
 *
 *     believed --look(), refused()--> behind --look(), heard()--> believed
 *
 * Looked at when something was refused for being ahead, and while it is behind: who has a right clock pays nothing for it.
 */
export class ClockWatch {
  readonly #parts: ClockWatchParts
  /** What the centre's clock said, and when that was on the monotonic one. */
  #centre: { at: Millis; heard: Millis } | null = null
  /** Devices that were ahead when they spoke last, and those that agreed with this clock since there is any of the former. */
  readonly #ahead = new Set<string>()
  readonly #agreeing = new Set<string>()
  /** Unix time at monotonic 0, when the devices spoke: what they said is about the clock as it was. */
  #setting: Millis
  #behind: ClockBehind | null = null

  constructor(parts: ClockWatchParts) {
    this.#parts = parts
    this.#setting = this.#offset()
  }

  get behind(): ClockBehind | null {
    return this.#behind
  }

  /** How far ahead of this clock the time of a device may be now. */
  get maxFuture(): Millis {
    const { maxFuture } = this.#parts
    if (!this.#behind) return maxFuture
    const { says, by } = this.#behind
    // Only the centre says what the time is; the others, that it is later.
    return says === 'centre' && by !== null ? maxFuture + by : Number.POSITIVE_INFINITY
  }

  /** Whether it wants to hear what time devices tell. */
  get listening(): boolean {
    return this.#ahead.size > 0 || this.#behind !== null
  }

  centreSaid(at: Millis): void {
    this.#centre = { at, heard: this.#parts.clock.monotonic() }
    this.look()
  }

  /**
   * A device was refused for being ahead.
   *
   * @returns whether it would not be now
   */
  refused(device: string): boolean {
    const before = this.maxFuture
    this.#forgetIfSet()
    this.#agreeing.delete(device)
    add(this.#ahead, device)
    this.look()
    return this.maxFuture > before
  }

  /** A device was taken in that tells this time. */
  heard(device: string, time: Millis, received: Millis): void {
    const { maxFuture } = this.#parts
    // One that is far behind says nothing of this clock: it may repeat what is old, or not know the time either.
    if (time < received - maxFuture) return
    this.#forgetIfSet()
    const [into, outOf] = time > received + maxFuture ? [this.#ahead, this.#agreeing] : [this.#agreeing, this.#ahead]
    outOf.delete(device)
    add(into, device)
    this.look()
  }

  /** Judges anew; call it now and then while it is behind, so that it is noticed when somebody sets the clock. */
  look(): ClockBehind | null {
    const before = this.#behind
    this.#behind = this.#judge()
    if (before?.says !== this.#behind?.says) this.#parts.changed(this.#behind)
    return this.#behind
  }

  #judge(): ClockBehind | null {
    const { clock, lastCommit, maxFuture } = this.#parts
    const now = clock.now()
    if (this.#centre) {
      const by = this.#centre.at + clock.monotonic() - this.#centre.heard - now
      // Half of it is for the devices' own clocks.
      return by > Math.max(maxFuture / 2, SLACK) ? { says: 'centre', by } : null
    }
    if (now < CLOCK_NEVER_SET) return { says: 'calendar', by: null }
    this.#forgetIfSet()
    if (this.#ahead.size > this.#agreeing.size) return { says: 'devices', by: null }
    // A clock that was ahead once has stored that: who agrees with it now knows better.
    if (this.#agreeing.size === 0 && lastCommit !== null && now < lastCommit - SLACK)
      return { says: 'outbox', by: lastCommit - now }
    return null
  }

  #forgetIfSet(): void {
    const offset = this.#offset()
    if (Math.abs(offset - this.#setting) < SLACK) return
    this.#setting = offset
    this.#ahead.clear()
    this.#agreeing.clear()
  }

  #offset(): Millis {
    const { clock } = this.#parts
    return clock.now() - clock.monotonic()
  }
}

function add(devices: Set<string>, device: string): void {
  devices.delete(device)
  devices.add(device)
  const [oldest] = devices
  if (devices.size > MOST_DEVICES && oldest !== undefined) devices.delete(oldest)
}
