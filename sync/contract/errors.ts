/**
 * Base of every error this product throws on purpose. `code` is stable (for programs and runbooks);
 * the message says what was expected, what came and what to do. Catch by subclass: it says what
 * the caller has to do.
 */
export class TidegateError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** Try again later with backoff: nothing is known to be wrong with the record itself. */
export class RetryableError extends TidegateError {}

/** The record can never be processed as it is: keep it, with this reason, in the dead-letter stream. */
export class DeadLetterError extends TidegateError {}

/** The store cannot take more: do not acknowledge, push back on the sender, keep forwarding. */
export class StopAcceptingError extends TidegateError {}

/** Only a person can mend this (configuration, damage, a second process): stop and say so. */
export class OperatorError extends TidegateError {}

/** The person who typed the command got it wrong: say how it is written; exit code 2. */
export class UsageError extends TidegateError {}

/** The `cause` chain of an error as one readable line; a cause that its effect already quotes is left out. */
export function describeError(error: unknown): string {
  let text = ''
  for (let current: unknown = error; current !== undefined && current !== null; ) {
    const message = current instanceof Error ? current.message : String(current)
    if (!text.includes(message)) text += text === '' ? message : `: ${message}`
    current = current instanceof Error ? current.cause : undefined
  }
  return text
}
