import type { Millis, Offset } from '../contract/index.ts'
import type { Clock } from '../runtime/index.ts'
import type { LaneSource } from './source.ts'

/** Resolves when the lane has something at `next`, after `limit`, or on abort; true if it has. */
export function growth(
  source: LaneSource,
  next: Offset,
  clock: Clock,
  limit: Millis,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stop()
      cancel()
      signal.removeEventListener('abort', finish)
      resolve(source.head > next)
    }
    const stop = source.onGrowth(finish)
    const cancel = clock.after(limit, finish)
    signal.addEventListener('abort', finish)
    if (source.head > next || signal.aborted) finish()
  })
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
