import type { Millis } from '../contract/index.ts'
import type { CentralDialer, CentralSession } from '../link/index.ts'
import { Backoff, type Clock, pause, type Random } from '../runtime/index.ts'

/** A dial that has not answered after this long gets company: it may hang in a network that is already back. */
const HEDGE_AFTER: Millis = 500
const DIALS_AT_ONCE = 4

/**
 * Dials until a session stands, or until `signal` aborts (null). A dial that fails is followed by another after a
 * jittered pause; one that hangs is overtaken by a fresh one, so that a link that is back is noticed within half a second
 * however long the old attempt's own timeout is.
 */
export async function redial(
  dialer: CentralDialer,
  clock: Clock,
  random: Random,
  retry: { min: Millis; max: Millis },
  signal: AbortSignal,
  failed: (error: unknown) => void,
): Promise<CentralSession | null> {
  const backoff = new Backoff(retry, random)
  const settled = new AbortController()
  const stop = (): void => settled.abort()
  signal.addEventListener('abort', stop)
  let winner: CentralSession | null = null
  const pending = new Set<Promise<void>>()

  const dial = async (): Promise<void> => {
    try {
      const session = await dialer.dial(settled.signal)
      if (winner || signal.aborted) await session.close()
      else {
        winner = session
        settled.abort()
      }
    } catch (error) {
      if (!settled.signal.aborted) failed(error)
    }
  }

  while (!winner && !signal.aborted) {
    if (pending.size < DIALS_AT_ONCE) {
      const attempt: Promise<void> = dial().finally(() => pending.delete(attempt))
      pending.add(attempt)
      await settledOr(HEDGE_AFTER, [attempt], clock, settled.signal)
      if (winner || pending.has(attempt)) continue
    } else await settledOr(HEDGE_AFTER, [...pending], clock, settled.signal)
    if (!winner) await pause(clock, backoff.next(), settled.signal)
  }
  signal.removeEventListener('abort', stop)
  settled.abort()
  await Promise.all(pending)
  return winner
}

/** Resolves when one of the attempts is over, after `limit`, or on abort; leaves neither timer nor listener behind. */
async function settledOr(
  limit: Millis,
  attempts: readonly Promise<void>[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController()
  const end = (): void => over.abort()
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  await Promise.race([...attempts, pause(clock, limit, over.signal)])
  end()
  signal.removeEventListener('abort', end)
}
