import type { Millis } from './units.ts'

/** Something that was published but could not become a reading, kept whole, with the reason. */
export interface DeadLetter {
  /** Stable reason for programs, e.g. `PAYLOAD_NOT_JSON`, `VALUE_NOT_FINITE`, `TOPIC_UNKNOWN`. */
  code: string
  /** What was expected and what came, for people. */
  reason: string
  topic: string
  /** MQTT client id of the publisher; empty for a will of a client that is gone. */
  client: string
  received: Millis
  /** The original bytes, base64. */
  payload: string
}
