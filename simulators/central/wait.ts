import { RetryableError } from '../../sync/contract/index.ts'
import { type Clock, pause } from '../../sync/runtime/index.ts'

const LOOK_AGAIN = 20
const A_LONG_TIME = 2 ** 30

/**
 * Looks again and again until there is something to see.
 *
 * @param what is waited for, for the message
 * @throws RetryableError `CENTRAL_NOT_READY` when there is nothing after `timeout` milliseconds; whatever `look` throws
 */
export async function waitFor<T>(
  clock: Clock,
  what: string,
  timeout: number,
  look: () => Promise<T | null>,
): Promise<T> {
  const deadline = clock.monotonic() + timeout
  // The clock's timers do not keep a process alive, and the child process that is waited for may be gone.
  const alive = setInterval(() => {}, A_LONG_TIME)
  try {
    for (;;) {
      const seen = await look()
      if (seen !== null) return seen
      if (clock.monotonic() > deadline) {
        throw new RetryableError('CENTRAL_NOT_READY', `expected ${what} within ${timeout} ms, there is none`)
      }
      await pause(clock, LOOK_AGAIN)
    }
  } finally {
    clearInterval(alive)
  }
}
