import type { Millis } from '../contract/index.ts'
import type { Clock } from './clock.ts'

interface Timer {
  at: Millis
  order: number
  callback: () => void
}

/** Turns of the event loop given to work that needs no time before time moves on. */
const TURNS = 12

/**
 * A clock that moves only when told, and then at once: hours of retries, outages and retention pass in milliseconds.
 * Timers fire in order of their time, and between two of them everything that is ready to run gets its turn.
 */
export class SimulatedClock implements Clock {
  #now: Millis
  #order = 0
  #timers: Timer[] = []
  readonly #start: Millis

  constructor(start: Millis = 1_700_000_000_000) {
    this.#start = start
    this.#now = start
  }

  now(): Millis {
    return this.#now
  }

  monotonic(): Millis {
    return this.#now - this.#start
  }

  after(delay: Millis, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delay), order: this.#order++, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Lets time pass until `done` holds; rejects when it does not within `limit`. */
  async runUntil(done: () => boolean, limit: Millis): Promise<void> {
    const deadline = this.#now + limit
    await settle()
    while (!done()) {
      const next = this.#next()
      if (!next || next.at > deadline)
        throw new Error(`the condition does not hold after ${limit} ms of simulated time`)
      this.#fire(next)
      await settle()
    }
  }

  /** Lets `duration` pass. */
  async advance(duration: Millis): Promise<void> {
    const end = this.#now + duration
    await settle()
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#fire(next)
      await settle()
    }
    this.#now = Math.max(this.#now, end)
  }

  #next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers)
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    return first
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer)
    this.#now = Math.max(this.#now, timer.at)
    timer.callback()
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}
