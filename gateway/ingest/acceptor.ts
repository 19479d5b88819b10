import type { Millis } from '../../sync/contract/index.ts'

/** One PUBLISH as it came off the wire (or a will), already checked by the frame guard. */
export interface Publish {
  /** MQTT client id; empty for the will of a client that is gone. */
  clientId: string
  topic: string
  /** Valid until `done` is called; copy what must live longer. */
  payload: Buffer
  qos: 0 | 1 | 2
  /** MQTT 3.1.1 §3.3.1.1: this may be a repeat of an earlier attempt. */
  dup: boolean
  /** Packet identifier; 0 for QoS 0 and wills. */
  messageId: number
  received: Millis
  /** What MQTT 5 says about a message beside topic and payload; absent where nothing was said. */
  said?: Said
}

/** Properties of a message (MQTT 5 §3.3.2.3) that concern what becomes of it. */
export interface Said {
  /** User properties, in the order in which they came. */
  user: ReadonlyArray<readonly [name: string, value: string]>
  contentType: string | null
  /** How old its readings may be when it arrives; null = as old as any. */
  expiry: Millis | null
}

/** What became of a publish, for protocols that can tell. */
export interface Verdict {
  /**
   * - `stored`: a reading or more, or a repeat of what is stored
   * - `dead letter`: nothing of it is a reading; it is kept with the reason
   * - `local`: there was nothing to store
   * - `shed`: dropped under load, being QoS 0
   * - `refused`: not taken, and certainly not stored. Where there is an error without this, nobody knows.
   */
  outcome: 'stored' | 'dead letter' | 'local' | 'shed' | 'refused'
  /** What is wrong with it, or with a part of it that is stored otherwise. */
  problem: { code: string; reason: string } | null
}

/** @param verdict absent: nothing is known but the error, or that there is none */
export type Done = (error: Error | null, verdict?: Verdict) => void

/**
 * Takes publishes in arrival order and says when each is durable. Called in the same order per client,
 * so acknowledgements sent from `done` keep MQTT 3.1.1's order (MQTT-4.6.0-2).
 */
export interface Acceptor {
  /**
   * @param done called exactly once, possibly synchronously: without an error when the publish is durable (or
   *   needs no durability), with a `StopAcceptingError` when it must not be acknowledged: close the connection
   */
  accept(publish: Publish, done: Done): void
  /**
   * The client released this QoS 2 packet identifier (PUBREL), or started a clean session (`messageId` null). PUBCOMP has to
   * wait for the promise: it lets the client use the identifier for another message, which would be taken for a repeat
   * if a crash brought the old one back.
   *
   * @returns rejects with a `StopAcceptingError` when that cannot be made durable: close the connection
   */
  released(clientId: string, messageId: number | null): Promise<void>
  /** Sheds QoS 0 and stops reading from sockets while true. */
  readonly overloaded: boolean
}
