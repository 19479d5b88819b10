import type { Millis } from '../contract/index.ts'
import type { Clock } from './clock.ts'
import { TimerQueue } from './timer-queue.ts'

/**
 * What else there is besides the clock that has to be waited for before time moves on.
 *
 * - `open`: anything, such as real files and sockets; it gets some turns of the event loop.
 * - `closed`: nothing. All that runs is promises and what asked this clock for `soon`, so that it can be told when
 *   nothing does any more: about twenty times as fast, and independent of how long anything takes.
 */
export type Surroundings = 'open' | 'closed'

/** Turns of the event loop given to work that needs no time before time moves on. */
const TURNS = 12

/**
 * A clock that moves only when told, and then at once: hours of retries, outages and retention pass in milliseconds.
 * Timers fire in order of their time, and between two of them everything that is ready to run gets its turn.
 */
export class SimulatedClock implements Clock {
  readonly #timers = new TimerQueue()
  readonly #start: Millis
  readonly #surroundings: Surroundings
  #now: Millis
  #soon: (() => void)[] = []

  constructor(start: Millis = 1_700_000_000_000, surroundings: Surroundings = 'open') {
    this.#start = start
    this.#now = start
    this.#surroundings = surroundings
  }

  now(): Millis {
    return this.#now
  }

  monotonic(): Millis {
    return this.#now - this.#start
  }

  after(delay: Millis, callback: () => void): () => void {
    const timer = this.#timers.add(this.#now + Math.max(0, delay), callback)
    return () => {
      timer.callback = null
    }
  }

  soon(callback: () => void): void {
    if (this.#surroundings === 'open') setImmediate(callback)
    else this.#soon.push(callback)
  }

  /** Lets time pass until `done` holds; rejects when it does not within `limit`. */
  async runUntil(done: () => boolean, limit: Millis): Promise<void> {
    const deadline = this.#now + limit
    await this.#settle()
    while (!done()) {
      const next = this.#timers.first()
      if (!next || next.at > deadline)
        throw new Error(`the condition does not hold after ${limit} ms of simulated time`)
      this.#fire()
      await this.#settle()
    }
  }

  /** Lets `duration` pass. */
  async advance(duration: Millis): Promise<void> {
    const end = this.#now + duration
    await this.#settle()
    for (let next = this.#timers.first(); next && next.at <= end; next = this.#timers.first()) {
      this.#fire()
      await this.#settle()
    }
    this.#now = Math.max(this.#now, end)
  }

  #fire(): void {
    const timer = this.#timers.take()
    if (!timer) return
    this.#now = Math.max(this.#now, timer.at)
    const { callback } = timer
    timer.callback = null
    callback?.()
  }

  async #settle(): Promise<void> {
    if (this.#surroundings === 'open') {
      for (let i = 0; i < TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve))
      return
    }
    await promisesDone()
    while (this.#soon.length > 0) {
      const ready = this.#soon
      this.#soon = []
      for (const callback of ready) callback()
      await promisesDone()
    }
  }
}

/** Resolves when no promise has anything left to do: a tick that is asked for while promises run comes after all of them. */
async function promisesDone(): Promise<void> {
  await null
  await new Promise<void>((resolve) => process.nextTick(resolve))
}
