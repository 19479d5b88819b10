import { Readable } from 'node:stream'
import { type Millis, RetryableError } from '../../../sync/contract/index.ts'
import type { RetainedMessages } from './retained-messages.ts'
import type { Sessions } from './sessions.ts'
import type { UnreleasedIds } from './unreleased-ids.ts'

type QoS = 0 | 1 | 2

interface OwnerOfSession {
  id: string
}

interface OutgoingPacket {
  cmd: string
  brokerCounter: number
  messageId?: number
}

export interface PersistenceEvents<C> {
  /** Whether this very subscription has been granted; true once. */
  takeGrant(subscription: object): boolean
  /** Whether `client` is authenticated and no other connection has its client id. */
  isCurrent(client: C): boolean
  /**
   * The client released a QoS 2 packet identifier (PUBREL), or all of them (clean session).
   *
   * @returns resolves when PUBCOMP may be sent; never rejects
   */
  onReleased(client: C, messageId: number | null): Promise<void>
  now(): Millis
  /** A QoS 2 publish turned out to be a repeat: it is answered, and goes no further. */
  onRepeat(client: C): void
}

const NO_SUCH_PACKET = new RetryableError(
  'MQTT_PACKET_UNKNOWN',
  'expected a packet identifier in flight, came a new one',
)

/**
 * What aedes asks of a persistence, answered from bounded memory. Wills are not kept here: aedes holds a connected client's
 * will itself, and asks for stored ones only to publish those of other brokers in a cluster, which there are not.
 */
export class MemoryPersistence<C extends OwnerOfSession> {
  readonly #sessions: Sessions
  readonly #retained: RetainedMessages
  readonly #unreleased: UnreleasedIds
  readonly #events: PersistenceEvents<C>

  constructor(
    stores: { sessions: Sessions; retained: RetainedMessages; unreleased: UnreleasedIds },
    events: PersistenceEvents<C>,
  ) {
    this.#sessions = stores.sessions
    this.#retained = stores.retained
    this.#unreleased = stores.unreleased
    this.#events = events
  }

  async setup(): Promise<void> {
    // The stores are there already; aedes insists on an async method.
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    const retained = this.#retained
    async function* packets() {
      for await (const message of retained.matching(filters)) yield { cmd: 'publish', retain: true, ...message }
    }
    return Readable.from(packets())
  }

  /**
   * aedes passes all subscriptions of the SUBSCRIBE, once for each that it has granted so far. One that is denied must not
   * be kept: its messages would fill the queue, and be delivered after a reconnect.
   */
  async addSubscriptions(client: C, subscriptions: ReadonlyArray<{ topic: string; qos: QoS }>): Promise<void> {
    for (const subscription of subscriptions) {
      if (!this.#events.takeGrant(subscription)) continue
      this.#sessions.subscribe(client.id, subscription.topic, subscription.qos)
    }
  }

  async removeSubscriptions(client: C, filters: readonly string[]): Promise<void> {
    for (const filter of filters) this.#sessions.unsubscribe(client.id, filter)
  }

  async cleanSubscriptions(client: C): Promise<void> {
    this.#sessions.clear(client.id)
  }

  async subscriptionsByClient(client: C): Promise<Array<{ topic: string; qos: QoS }>> {
    return this.#sessions.subscriptions(client.id)
  }

  outgoingStream(client: C): Readable {
    return Readable.from(
      this.#sessions.queued(client.id, this.#events.now()).map((message) => ({
        ...message,
        retain: false,
        dup: message.cmd === 'publish' && message.messageId !== undefined,
      })),
    )
  }

  /** A message that was not queued (the queue is bounded) goes out all the same, as one that is not kept. */
  async outgoingUpdate(client: C, packet: OutgoingPacket): Promise<void> {
    if (packet.messageId === undefined) return
    if (packet.cmd === 'pubrel') this.#sessions.markReceived(client.id, packet.messageId)
    else this.#sessions.markSent(client.id, packet.brokerCounter, packet.messageId)
  }

  /** Without a packet identifier there is nothing to clear: aedes asks so when it drops the second copy of a message. */
  async outgoingClearMessageId(client: C, packet: OutgoingPacket): Promise<object | undefined> {
    return packet.messageId === undefined ? undefined : this.#sessions.acknowledge(client.id, packet.messageId)
  }

  /**
   * Called for each QoS 2 PUBLISH when the acceptor is done with it, and first of all for each PUBREL, known or not (after a
   * restart it is not). A new identifier is taken here and not in `incomingStorePacket`, which comes a promise later:
   * between the two, a repeat that was answered by the same commit would pass for new.
   */
  async incomingGetPacket(client: C, packet: { cmd: string; messageId: number }): Promise<object> {
    const known = this.#unreleased.has(client.id, packet.messageId)
    // aedes sends PUBCOMP, known or not, after this promise.
    if (packet.cmd === 'pubrel') await this.#events.onReleased(client, packet.messageId)
    else if (!known) this.#unreleased.add(client.id, packet.messageId)
    if (!known) throw NO_SUCH_PACKET
    if (packet.cmd === 'publish') this.#events.onRepeat(client)
    return packet
  }

  async incomingStorePacket(client: C, packet: { messageId: number }): Promise<void> {
    if (this.#unreleased.has(client.id, packet.messageId)) return
    throw new RetryableError(
      'MQTT_TOO_MANY_UNRELEASED',
      'expected PUBREL for earlier QoS 2 publishes, came another one',
    )
  }

  async incomingDelPacket(client: C, packet: { messageId: number }): Promise<void> {
    this.#unreleased.release(client.id, packet.messageId)
  }

  /** A clean session begins or ends. aedes also says so for a connection that never was the client's. */
  async cleanIncoming(client: C): Promise<void> {
    if (!this.#events.isCurrent(client)) return
    this.#unreleased.releaseAll(client.id)
    // Nobody waits for it: whoever begins clean again says it again.
    void this.#events.onReleased(client, null)
  }

  async putWill(): Promise<void> {
    // See the class comment.
  }

  async delWill(): Promise<void> {
    // See the class comment.
  }

  streamWill(): Readable {
    return Readable.from([])
  }
}
