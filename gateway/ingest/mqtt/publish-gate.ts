import type { PublishPacket } from 'aedes'
import type { Bytes } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'
import { isPeerTopic } from '../../failover/link/index.ts'
import type { Acceptor } from '../acceptor.ts'
import type { Client } from './aedes-internals.ts'
import { GuardedSocket } from './guarded-socket.ts'
import type { Log, MqttCounters } from './observation.ts'

/** What a publish under way costs beside its payload. */
export const PUBLISH_OVERHEAD: Bytes = 256

const DOLLAR = 0x24

export interface PublishGateOptions {
  acceptor: Acceptor
  clock: Clock
  log: Log
  counters: MqttCounters
  /** Nothing is with the acceptor any more. */
  onIdle(): void
}

/**
 * Topics of the broker's own (MQTT 3.1.1 §4.7.2). What clients publish there goes nowhere, but is acknowledged
 * (MQTT-3.3.5-2 leaves the choice): bridges announce themselves there and would otherwise never get connected. Peers are
 * heard on theirs, before this is asked.
 */
export const isReserved = (topic: string): boolean =>
  topic.charCodeAt(0) === DOLLAR && (topic.startsWith('$SYS/') || isPeerTopic(topic))

/**
 * The way of every publish that the library parses, wills included: aedes goes on (acknowledgement, local subscribers) only from the acceptor's
 * `done`, and closes the connection without an acknowledgement when that brings an error, which is the only "no" that
 * MQTT 3.1.1 has. It also keeps the account of everything that is with the acceptor, whichever way it came.
 */
export class PublishGate {
  readonly #options: PublishGateOptions
  #pending = 0

  constructor(options: PublishGateOptions) {
    this.#options = options
  }

  /** Publishes with the acceptor. */
  get pending(): number {
    return this.#pending
  }

  /** A publish goes to the acceptor. */
  enter(): void {
    this.#pending++
  }

  /** Its answer came, and has been passed on. */
  leave(publishes = 1): void {
    this.#pending -= publishes
    if (this.#pending === 0) this.#options.onIdle()
  }

  /** A publish to a topic of the broker's own came, and goes nowhere. */
  countReserved(): void {
    this.#options.counters.increment('publishes.reserved')
  }

  /** Its acknowledgement keeps its turn: it stands behind those of what came before (MQTT-4.6.0-2). */
  answerReserved(connection: GuardedSocket, done: (error: Error | null) => void): void {
    const { acceptor } = this.#options
    connection.hold(PUBLISH_OVERHEAD)
    this.enter()
    acceptor.inTurn((error) => {
      connection.settle(PUBLISH_OVERHEAD)
      done(error)
      this.leave()
    })
  }

  /** The acceptor would not take it. */
  refused(error: Error, will: boolean, publishes = 1): void {
    const { counters, log } = this.#options
    counters.increment(will ? 'wills.refused' : 'publishes.refused', publishes)
    log.debug({ reason: error.message, will }, 'publish refused: it gets no acknowledgement, or a bad one')
  }

  /** @param client null for the will of a client that is gone */
  pass(client: Client | null, packet: PublishPacket, done: (error: Error | null) => void): void {
    const { acceptor, clock, counters } = this.#options
    const will = client === null || packet === client.will
    const connection = !will && client.conn instanceof GuardedSocket ? client.conn : null
    if (isReserved(packet.topic)) {
      this.countReserved()
      if (packet.qos === 0 || connection === null) done(null)
      else this.answerReserved(connection, done)
      return
    }
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload)
    const bytes = payload.length + PUBLISH_OVERHEAD
    connection?.hold(bytes)
    this.enter()
    acceptor.accept(
      {
        clientId: client?.id ?? '',
        topic: packet.topic,
        payload,
        qos: packet.qos,
        dup: packet.dup ?? false,
        messageId: packet.messageId ?? 0,
        received: clock.now(),
      },
      (error) => {
        connection?.settle(bytes)
        if (error !== null) this.refused(error, will)
        else if (will) counters.increment('wills.accepted')
        done(error)
        this.leave()
      },
    )
  }
}
