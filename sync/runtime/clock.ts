import type { Millis } from '../contract/index.ts'

/** Everything the product knows about time, passed in so that tests can own it. */
export interface Clock {
  /** Unix time in milliseconds; can jump when the system's clock is set. */
  now(): Millis
  /** Monotonic milliseconds since an arbitrary point: for durations and deadlines. */
  monotonic(): Millis
  /** Calls back once after `delay`; the returned function cancels. */
  after(delay: Millis, callback: () => void): () => void
  /** Calls back in a moment, once everything that is ready now has had its turn. */
  soon(callback: () => void): void
}

/** Longer timers would fire at once (a 32-bit counter of milliseconds): 24 days are as good as any longer time here. */
const LONGEST_TIMER: Millis = 2 ** 31 - 1

/** The machine's own clock. Timers do not keep the process alive: whoever holds a resource does. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    const timer = setTimeout(callback, Math.min(delay, LONGEST_TIMER))
    timer.unref()
    return () => clearTimeout(timer)
  },
  soon: (callback) => void setImmediate(callback),
}

/** Resolves after `delay`, or at once when there is none or when `signal` aborts (never rejects: the caller looks at the signal). */
export function pause(clock: Clock, delay: Millis, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (delay <= 0 || signal?.aborted) {
      resolve()
      return
    }
    const finish = (): void => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = clock.after(delay, finish)
    signal?.addEventListener('abort', finish)
  })
}
