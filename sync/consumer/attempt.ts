import {
  DeadLetterError,
  describeError,
  type Millis,
  OperatorError,
  RetryableError,
  TidegateError,
} from '../contract/index.ts'
import { Backoff } from '../forward/index.ts'
import { type Clock, pause, type Random } from '../runtime/index.ts'

export interface RetrySettings {
  /** How often the handler is asked before a record becomes a dead letter. */
  attempts: number
  /** First and longest wait between attempts; exponential with full jitter. */
  min: Millis
  max: Millis
}

export interface AttemptTools {
  clock: Clock
  random: Random
  signal: AbortSignal
  retry: RetrySettings
}

/** How it ended. `stopped`: before it was done, because the consumer stops. */
export type Outcome =
  | { kind: 'done' }
  | { kind: 'stopped' }
  | { kind: 'dead'; code: string; reason: string; attempts: number }

/**
 * Asks the handler until it succeeds or gives up. What it throws decides (see errors.ts): a `DeadLetterError` gives the record
 * up at once, a `RetryableError` never (an outage of what the handler writes to is not the record's fault), an
 * `OperatorError` ends the consumer; anything else is tried `attempts` times.
 *
 * @param retrying is told of every failure that is followed by another attempt
 * @throws OperatorError that the handler threw
 */
export async function attempt(
  handle: (attempt: number) => Promise<void> | void,
  { clock, random, signal, retry }: AttemptTools,
  retrying: (attempt: number, delay: Millis, error: unknown) => void,
): Promise<Outcome> {
  let backoff: Backoff | null = null
  for (let n = 1; ; n++) {
    try {
      await handle(n)
      return { kind: 'done' }
    } catch (error) {
      if (error instanceof OperatorError) throw error
      // A handler that gave up because the consumer stops did not fail.
      if (signal.aborted) return { kind: 'stopped' }
      const lost = error instanceof DeadLetterError || (n >= retry.attempts && !(error instanceof RetryableError))
      if (lost) {
        const code = error instanceof TidegateError ? error.code : 'HANDLER_FAILED'
        return { kind: 'dead', code, reason: describeError(error), attempts: n }
      }
      backoff ??= new Backoff(retry, random)
      const delay = backoff.next()
      retrying(n, delay, error)
      await pause(clock, delay, signal)
      if (signal.aborted) return { kind: 'stopped' }
    }
  }
}

/**
 * Does what the consumer itself has to do, for as long as it takes.
 *
 * @returns null when the consumer stops before it is done
 * @throws OperatorError
 */
export async function insist<T>(
  task: () => Promise<T> | T,
  { clock, random, signal, retry }: AttemptTools,
  troubled: (error: unknown) => void,
): Promise<{ value: T } | null> {
  let backoff: Backoff | null = null
  for (;;) {
    try {
      return { value: await task() }
    } catch (error) {
      if (error instanceof OperatorError) throw error
      if (signal.aborted) return null
      troubled(error)
      backoff ??= new Backoff(retry, random)
      await pause(clock, backoff.next(), signal)
      if (signal.aborted) return null
    }
  }
}
