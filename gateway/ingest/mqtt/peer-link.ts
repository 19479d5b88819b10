import type { Bytes, Millis } from '../../../sync/contract/index.ts'
import { RetryableError } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'
import { HostedSession, type PeerNames, type PeerWire } from '../../failover/link/index.ts'
import type { Client } from './aedes-internals.ts'
import type { PublishFrame } from './frame-guard.ts'
import type { GuardedSocket } from './guarded-socket.ts'
import { PUBLISH_OVERHEAD, type PublishGate } from './publish-gate.ts'

const MIB: Bytes = 1024 * 1024

/** What a peer may cost: a block of the outbox is up to about a megabyte, and many may be under way. */
const LIMITS = {
  /** Remaining length of PUBLISH: a message of two megabytes, and room for its topic. */
  maxPublishBytes: 2 * MIB + 64 * 1024,
  /** Messages that may wait to be taken before the socket is no longer read. */
  maxInflightBytes: 18 * MIB,
}

/** What may wait for a peer that does not read what it is told. */
const MAX_UNSENT: Bytes = 16 * MIB

export interface PeerLinkParts {
  gate: PublishGate
  clock: Clock
  /** How long a peer that was told goodbye may take to go. */
  goodbye: Millis
}

/**
 * The connection of a peer. Its messages come straight from the frame guard, and are acknowledged when they are done;
 * what is said to it is written to the connection, past the fan-out, which drops what a slow subscriber does not take.
 */
export class PeerLink implements PeerWire {
  readonly gateway: string
  readonly names: PeerNames
  readonly #client: Client
  readonly #parts: PeerLinkParts
  readonly #answerTopic: Buffer
  #connection: GuardedSocket | null = null
  #session: HostedSession | null = null
  /** Messages that are with the session. */
  #pending = 0
  /** The peer does not read what it is told. */
  #stuck = false

  constructor(gateway: string, names: PeerNames, client: Client, parts: PeerLinkParts) {
    this.gateway = gateway
    this.names = names
    this.#client = client
    this.#parts = parts
    const topic = Buffer.from(names.down)
    this.#answerTopic = Buffer.concat([Buffer.from([topic.length >> 8, topic.length & 0xff]), topic])
  }

  get session(): HostedSession | null {
    return this.#session
  }

  /** The connection is accepted. */
  open(connection: GuardedSocket): void {
    this.#connection = connection
    connection.widen(LIMITS)
    connection.once('close', () => this.#gone(connection.finished ? null : new Error('the connection is gone')))
  }

  /** @returns null when the connection is over already */
  begin(): HostedSession | null {
    if (this.#connection === null || this.#connection.destroyed) return null
    this.#session = new HostedSession(this.gateway, this)
    return this.#session
  }

  /** A publish of the peer. Anything but a message to its session is a fault. */
  take({ data, topic, payloadStart, end, packetId, qos }: PublishFrame): void {
    const connection = this.#connection
    const session = this.#session
    if (connection === null || connection.destroyed) return
    if (session === null || topic !== this.names.up || qos !== 1) {
      this.end(strayMessage(topic))
      return
    }
    const message = Buffer.from(data.subarray(payloadStart, end))
    const bytes = message.length + PUBLISH_OVERHEAD
    connection.hold(bytes)
    this.#parts.gate.enter()
    this.#pending++
    session.receive(message, () => {
      connection.settle(bytes)
      connection.acknowledge(packetId)
      this.#pending--
      this.#parts.gate.leave()
    })
  }

  write(message: Uint8Array): void {
    const connection = this.#connection
    if (connection === null || !connection.writable) return
    if (connection.backlog + message.length > MAX_UNSENT) {
      const reason = new RetryableError('MQTT_PEER_STUCK', `expected gateway '${this.gateway}' to read what it is told`)
      this.#session?.end(reason)
      this.end(reason)
      return
    }
    connection.cork()
    connection.write(publishHeader(this.#answerTopic, message.length))
    const open = connection.write(message)
    connection.uncork()
    if (open || this.#stuck) return
    this.#stuck = true
    this.#client.waitForDrain(() => {
      this.#stuck = false
    })
  }

  end(error: Error | null): void {
    const connection = this.#connection
    if (connection === null) return
    if (error !== null) {
      // What the library does with a publish that it may not take: the connection is destroyed.
      this.#client.emit('error', error)
      return
    }
    connection.hangUp()
    const stop = this.#parts.clock.after(this.#parts.goodbye, () => connection.destroy())
    connection.once('close', stop)
  }

  #gone(reason: Error | null): void {
    this.#session?.end(reason)
    // Nobody will be told of them any more.
    for (; this.#pending > 0; this.#pending--) this.#parts.gate.leave()
  }
}

/** A peer has published something that is no message of its session. */
export const strayMessage = (topic: string): RetryableError =>
  new RetryableError('MQTT_PEER_ASTRAY', `expected a peer to publish messages of its session only, came '${topic}'`)

/** Everything of a QoS 0 PUBLISH that comes before its payload (MQTT 3.1.1 §3.3). */
function publishHeader(topic: Buffer, payload: Bytes): Buffer {
  const bytes = [0x30]
  let left = topic.length + payload
  do {
    const low = left & 0x7f
    left >>= 7
    bytes.push(left > 0 ? low | 0x80 : low)
  } while (left > 0)
  return Buffer.concat([Buffer.from(bytes), topic])
}
