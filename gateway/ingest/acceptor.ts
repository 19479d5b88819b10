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
}

/**
 * Takes publishes in arrival order and says when each is durable. Called in the same order per client,
 * so acknowledgements sent from `done` keep MQTT 3.1.1's order (MQTT-4.6.0-2).
 */
export interface Acceptor {
  /**
   * @param done called exactly once, possibly synchronously: without an error when the publish is durable (or
   *   needs no durability), with a `StopAcceptingError` when it must not be acknowledged: close the connection
   */
  accept(publish: Publish, done: (error: Error | null) => void): void
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
