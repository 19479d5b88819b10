import type { Duplex } from 'node:stream'
import type { Bytes } from '../../../sync/contract/index.ts'
import type { Violation } from './violation.ts'

/** Looks at every byte of a client before the broker library does, and lets pass what it is to have. */
export interface Guard {
  readonly state: 'awaiting-connect' | 'open' | 'ended' | 'refused'
  /** What the last `push` allowed to pass, in order; null when nothing did. As long-lived as what was pushed. */
  readonly passed: Buffer | null
  /** Takes the next bytes of the stream, which are valid during the call only. After a violation nothing passes any more. */
  push(chunk: Buffer): Violation | null
  /** This client may send larger publishes than others; from the next frame on. */
  widen(maxPublishBytes: Bytes): void
}

/** Speaks to the client in place of the broker library, whose language is MQTT 3.1.1. */
export interface Voice {
  /** The connection will end for this: remembers what is to be said. */
  fault(fault: Violation): void
  /** What is said to a client that is asked to leave; null = nothing. */
  farewell(): Buffer | null
  /** The connection ends. @returns false when there is nothing to say: the socket may be destroyed at once */
  part(socket: Duplex): boolean
}
