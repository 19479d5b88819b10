import type { Millis } from '../contract/index.ts'
import type { Clock } from './clock.ts'

/**
 * Does some work with a limit of time: the signal that it gets aborts when `limit` is over or when `signal` aborts.
 *
 * Not `AbortSignal.any([AbortSignal.timeout(limit), signal])`: nothing holds the signal of the timeout there, so that Node's garbage
 * collector may take it, with its timer, before it fires. Then the work never ends.
 */
export async function withTimeLimit<T>(
  clock: Clock,
  limit: Millis,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const cancel = clock.after(limit, () =>
    over.abort(new DOMException(`it took longer than ${limit / 1000} s`, 'TimeoutError')),
  )
  try {
    return await work(AbortSignal.any([signal, over.signal]))
  } finally {
    cancel()
  }
}
