import { Aedes, type AedesOptions, type PublishPacket } from 'aedes'
import type { Client } from './aedes-internals.ts'
import type { Deliver, FanOut } from './fan-out.ts'
import { isReserved } from './publish-gate.ts'
import type { RetainedMessages } from './retained-messages.ts'
import type { Sessions } from './sessions.ts'
import type { Carried } from './v5/index.ts'

type QoS = 0 | 1 | 2
type Done = (error?: Error) => void

/** A message on its way to local subscribers, in the shape that the library's subscriptions take. */
export interface LocalMessage {
  cmd: 'publish'
  brokerId: string
  brokerCounter: number
  topic: string
  payload: Buffer
  qos: QoS
  retain: boolean
  dup: false
  /** Client that published it, if it has to be known: subscribers of MQTT 5 may not want what they published themselves. */
  from?: string
  /** What MQTT 5 has it carry beside topic and payload. */
  carried?: Carried
}

/** What a message has beside topic, payload and QoS. */
export interface Extras {
  retain: boolean
  from?: string
  carried?: Carried
}

export interface LocalBrokerStores {
  fanOut: FanOut<LocalMessage>
  sessions: Sessions
  retained: RetainedMessages
}

export interface LocalBrokerEvents {
  onRetainRefused(topic: string): void
  /** Another connection takes the place of this client's. */
  onTakenOver(client: Client): void
  /** The library is done with a publish, or a will, of `client`: it was acknowledged, and goes to subscribers now. */
  onPublished(client: Client): void
}

/**
 * aedes with its own distribution of messages. The library's is a chain of callbacks and promises a message, also when nobody
 * listens, and because a QoS 1 message waits in it while a QoS 0 message does not, the two overtake each other and the
 * one with the lower number is dropped as a duplicate. Here numbering, keeping and handing over happen in one step, so
 * order is kept, and a message without subscribers costs one look-up.
 */
export class LocalBroker extends Aedes {
  readonly #stores: LocalBrokerStores
  readonly #events: LocalBrokerEvents

  constructor(options: AedesOptions, stores: LocalBrokerStores, events: LocalBrokerEvents) {
    super({ ...options, mq: stores.fanOut })
    this.#stores = stores
    this.#events = events
  }

  /**
   * Hands a message to its local subscribers, connected or absent, and retains it if it says so. Never fails.
   * Only the broker itself (no client given) is heard on reserved topics.
   */
  override publish(packet: PublishPacket, ...rest: [Done?] | [Client | null, Done?]): void {
    const [client, done] = typeof rest[0] === 'function' ? [null, rest[0]] : [rest[0] ?? null, rest[1]]
    if (client === null || !isReserved(packet.topic)) this.#publish(packet)
    if (client !== null) this.#events.onPublished(client)
    done?.()
  }

  /**
   * Hands a client's message, not on a reserved topic, to its local subscribers, and retains it if it says so. Never fails.
   *
   * @returns whether there is any subscriber
   */
  distribute(topic: string, payload: Buffer, qos: QoS, extras: Extras = PLAIN): boolean {
    if (extras.retain) this.#retain(topic, payload, qos, extras.carried)
    return this.#distribute(topic, payload, qos, extras)
  }

  /** Whether a message would go to any local subscriber, connected or absent. */
  isHeard(topic: string, qos: QoS): boolean {
    const { fanOut, sessions } = this.#stores
    return fanOut.match(topic).length > 0 || (qos > 0 && sessions.keepers(topic) !== null)
  }

  override registerClient(client: Client): void {
    const before = this.clients[client.id]
    if (before !== undefined) this.#events.onTakenOver(before)
    super.registerClient(client)
  }

  /** The library does not look whose entry it removes: a second connection that failed early would remove the first's. */
  override unregisterClient(client: Client): void {
    if (this.clients[client.id] === client) super.unregisterClient(client)
  }

  #publish(packet: PublishPacket): void {
    const { topic, qos, retain } = packet
    const payload = bytesOf(packet.payload)
    if (retain) this.#retain(topic, payload, qos)
    this.#distribute(topic, payload, qos, retain ? RETAINED : PLAIN)
  }

  #retain(topic: string, payload: Buffer, qos: QoS, carried?: Carried): void {
    if (!this.#stores.retained.store(topic, payload, qos, carried)) this.#events.onRetainRefused(topic)
  }

  #distribute(topic: string, payload: Buffer, qos: QoS, extras: Extras): boolean {
    const { fanOut, sessions } = this.#stores
    const receivers = fanOut.match(topic)
    const keepers = qos > 0 ? sessions.keepers(topic) : null
    if (receivers.length === 0 && keepers === null) return false
    this.#send(topic, payload, qos, extras, receivers, keepers)
    return true
  }

  #send(
    topic: string,
    payload: Buffer,
    qos: QoS,
    extras: Extras,
    receivers: ReadonlyArray<Deliver<LocalMessage>>,
    keepers: ReadonlyMap<string, QoS> | null,
  ): void {
    const message: LocalMessage = {
      cmd: 'publish',
      brokerId: this.id,
      brokerCounter: ++this.counter,
      topic,
      payload,
      qos,
      // MQTT-3.3.1-3: the publisher's DUP flag is not propagated.
      dup: false,
      ...extras,
    }
    if (keepers !== null) this.#keep(message, keepers)
    for (const deliver of receivers) deliver(message, delivered)
  }

  #keep(message: LocalMessage, keepers: ReadonlyMap<string, QoS>): void {
    // A copy: the payload is a slice of what was read from the socket and would keep all of it alive.
    const payload = Buffer.from(message.payload)
    const { brokerId, brokerCounter, topic, carried } = message
    const expires = carried?.expires
    for (const [clientId, granted] of keepers) {
      const qos = Math.min(message.qos, granted) as QoS
      this.#stores.sessions.enqueue(clientId, {
        cmd: 'publish',
        brokerId,
        brokerCounter,
        topic,
        payload,
        qos,
        messageId: undefined,
        ...(expires !== undefined && { expires }),
      })
    }
  }
}

const PLAIN: Extras = Object.freeze({ retain: false })
const RETAINED: Extras = Object.freeze({ retain: true })

const bytesOf = (payload: string | Buffer | undefined): Buffer =>
  Buffer.isBuffer(payload) ? payload : Buffer.from(payload ?? '')

/** Nobody waits for a subscriber, see `FanOut`. */
const delivered = (): void => undefined
