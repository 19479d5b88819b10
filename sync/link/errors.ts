import { RetryableError, type StreamSequence } from '../contract/index.ts'

/** No answer: the message may or may not have been stored. Read the head of the chain before anything else. */
export class UnknownOutcomeError extends RetryableError {
  constructor(what: string, cause?: unknown) {
    super('LINK_OUTCOME_UNKNOWN', `no answer from the centre to ${what}`, { cause })
  }
}

/** The compare-and-set failed: something else is the newest message on the subject. Nothing was stored. */
export class WrongLastSequenceError extends RetryableError {
  /** What the server says is the newest sequence on the subject; null when it did not say. */
  readonly actual: StreamSequence | null

  constructor(subject: string, expected: StreamSequence, actual: StreamSequence | null) {
    super('LINK_WRONG_LAST_SEQUENCE', `'${subject}' was expected to end at ${expected}, it ends at ${actual ?? '?'}`)
    this.actual = actual
  }
}

/** What was read does not reach as far as what was read before: a replica lags behind. Read again. */
export class StaleReadError extends RetryableError {
  constructor(subject: string) {
    super('LINK_READ_STALE', `a replica of '${subject}' lags behind what another one told`)
  }
}

/** The centre answered, and said no for now (no leader, stream full or missing, no permission). Nothing was stored. */
export class RefusedError extends RetryableError {
  constructor(what: string, reason: string, cause?: unknown) {
    super('LINK_REFUSED', `the centre refused ${what}: ${reason}`, { cause })
  }
}

/** The stream does not exist (or nobody leads it yet). Nothing was stored. */
export class StreamMissingError extends RefusedError {
  readonly stream: string

  constructor(stream: string, cause?: unknown) {
    super(`stream ${stream}`, "it does not exist; run 'tidegate central apply', or set central.provision: true", cause)
    this.stream = stream
  }
}
