import type { Bytes, Millis } from '../../sync/contract/index.ts'

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
  /** `acceptPlain` was asked before, and has not taken it. */
  offered?: true
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

/** A PUBLISH of QoS 0 or 1 where it lies in what was read from a socket: the payload is `data[payloadStart..end)`. Valid during the call. */
export interface PublishSpan {
  readonly data: Buffer
  /** Of `data`. */
  readonly view: DataView
  readonly topic: string
  readonly payloadStart: number
  readonly end: number
  readonly qos: 0 | 1 | 2
  readonly dup: boolean
  /** 0 for QoS 0. */
  readonly packetId: number
}

/** Plain publishes of one sender, one behind the other, that become durable together. */
export interface Batch {
  readonly publishes: number
  /** Of their payloads. */
  readonly bytes: Bytes
  /** Packet identifiers of those of QoS 1, in the order in which they came. */
  readonly packetIds: readonly number[]
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
   * The turn of an answer that has nothing to wait for, but what was accepted before it.
   *
   * @param done see `accept`; no verdict
   */
  inTurn(done: Done): void
  /**
   * The quick way in for what devices send all day: a publish that is one plain, new reading, and nothing else. Many of them are answered
   * together.
   *
   * @param open the batch of what this sender sent before, if nothing of it went another way since: answers keep the order of the publishes
   * @param settled called exactly once for each batch, not synchronously: see `done` of `accept`
   * @returns the batch that it went into: `open`, or a new one; null when nothing was done: `accept` decides
   */
  acceptPlain(
    publish: PublishSpan,
    received: Millis,
    open: Batch | null,
    settled: (batch: Batch, error: Error | null) => void,
  ): Batch | null
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
