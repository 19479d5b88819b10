import type { Bytes, Millis, StreamSequence } from '../contract/index.ts'

/** A message on one subject, as far as a writer needs it to go on. */
export interface ChainHead {
  sequence: StreamSequence
  /** Header values by name (see `HEADERS`). */
  headers: ReadonlyMap<string, string>
}

/** The whole of it. */
export interface ChainMessage extends ChainHead {
  body: Uint8Array
}

/**
 * The stream keeps with a message what it was appended to: the sequence of the subject's message before it. Null when it was
 * appended without a condition.
 */
export function previousOf({ headers }: ChainHead): StreamSequence | null {
  const text = headers.get(PREVIOUS)
  return text === undefined ? null : Number(text)
}

/** Set by the client library with every conditional append. */
export const PREVIOUS = 'Nats-Expected-Last-Subject-Sequence'

/** What tells one incarnation of a stream from another. */
export interface StreamFacts {
  /** RFC 3339 creation time: changes when the stream is deleted and made anew. */
  created: string
  firstSequence: StreamSequence
  lastSequence: StreamSequence
  /** The centre's clock when it answered; null when it does not say (before NATS 2.10). */
  at: Millis | null
}

/**
 * One living connection to the centre. It ends once (`closed` resolves) and is never revived: a new connection is a
 * new session, so nothing sent on an old one can come out later.
 *
 * All calls reject with
 * - `UnknownOutcomeError` when no answer came (timeout, disconnect): the message may or may not be stored;
 * - `WrongLastSequenceError` when the compare-and-set failed: nothing is stored;
 * - `RefusedError` when the centre said no for now (no leader, stream full, stream missing): nothing is stored.
 */
export interface CentralSession {
  /** Largest message (headers and body) that the server takes. */
  readonly maxPayload: Bytes
  /**
   * Appends one message if and only if the newest message on `subject` has sequence `expected` (0 = there is none).
   * @param expected null = append without a condition (snapshots, where the newest simply wins)
   */
  append(message: OutgoingMessage, expected: StreamSequence | null, timeout: Millis): Promise<StreamSequence>
  /** The newest message on the subject; null when there is none. May lag behind on a replica: `append` is the arbiter. */
  head(stream: string, subject: string, timeout: Millis): Promise<ChainMessage | null>
  /** The first message on the subject with a sequence of at least `from`; null when there is none. May lag behind, too. */
  nextFrom(stream: string, subject: string, from: StreamSequence, timeout: Millis): Promise<ChainMessage | null>
  /** @throws StreamMissingError */
  facts(stream: string, timeout: Millis): Promise<StreamFacts>
  /** Creates the stream if there is none of this name; one that is there must have the same configuration. */
  provision(plan: StreamPlan, timeout: Millis): Promise<void>
  /** Resolves when the session is over, with the reason. */
  readonly closed: Promise<Error | null>
  close(): Promise<void>
}

/** The configuration of a central stream, in JetStream's own terms (ADR-31: `allow_direct`). Ages are nanoseconds. */
export interface StreamPlan {
  name: string
  description: string
  subjects: string[]
  storage: 'file' | 'memory'
  num_replicas: number
  retention: 'limits'
  discard: 'new' | 'old'
  max_age: number
  max_bytes: number
  max_msgs_per_subject: number
  duplicate_window: number
  allow_direct: boolean
  /** No single message can be deleted by a client: the chain stays whole. */
  deny_delete: boolean
  /** Never on a stream that gateways write to: one header of one publisher could wipe it. */
  allow_rollup_hdrs: boolean
}

/** A message ready for the wire. */
export interface OutgoingMessage {
  stream: string
  subject: string
  headers: ReadonlyArray<readonly [name: string, value: string]>
  body: Uint8Array
}

/** Makes sessions. Dials once per call; retrying is the caller's business. */
export interface CentralDialer {
  /** @throws RetryableError when the centre cannot be reached within the dialer's timeout or before `signal` aborts */
  dial(signal: AbortSignal): Promise<CentralSession>
}
