import type { Bytes, Millis } from '../../../sync/contract/index.ts'
import { RememberedMatches } from './remembered-matches.ts'

type QoS = 0 | 1 | 2

/** A message on its way to a subscriber of a persistent session, kept until it is acknowledged. */
export interface QueuedMessage {
  /** `pubrel` once a QoS 2 subscriber has answered PUBREC. */
  cmd: 'publish' | 'pubrel'
  brokerId: string
  /** Number of the message in this broker: increasing, unique. */
  brokerCounter: number
  topic: string
  payload: Buffer
  qos: QoS
  /** Given when it is first sent. */
  messageId: number | undefined
  /** After this it is delivered no more (MQTT 5 §3.3.2.3.3); Unix time. */
  expires?: Millis
}

export interface SessionLimits {
  maxSessions: number
  maxQueuedMessages: number
  maxQueuedBytes: Bytes
}

export interface SessionEvents {
  onQueueFull(): void
  onEvicted(): void
}

interface Subscription {
  readonly clientId: string
  qos: QoS
}

/** One client's state that outlives its connection (MQTT 3.1.1 §3.1.2.4). */
class Session {
  /** By filter. */
  readonly subscriptions = new Map<string, Subscription>()
  /** By broker counter, oldest first. */
  readonly queue = new Map<number, QueuedMessage>()
  /** Packet identifier to broker counter, for what has been sent and not acknowledged. */
  readonly sent = new Map<number, number>()
}

/**
 * Sessions in memory, bounded: number of sessions (the longest unused goes first), messages a session, bytes for all of
 * them (the newest message is dropped). They serve local subscribers only: what is durable never depends on them.
 */
export class Sessions {
  /** In the order of last use, so that the first is the one to evict. */
  readonly #sessions = new Map<string, Session>()
  readonly #filters = new RememberedMatches<Subscription>()
  readonly #limits: SessionLimits
  readonly #events: SessionEvents
  #queuedBytes = 0

  constructor(limits: SessionLimits, events: SessionEvents) {
    this.#limits = limits
    this.#events = events
  }

  get size(): number {
    return this.#sessions.size
  }

  get queuedBytes(): Bytes {
    return this.#queuedBytes
  }

  subscribe(clientId: string, filter: string, qos: QoS): void {
    const { subscriptions } = this.#use(clientId)
    const subscription = subscriptions.get(filter) ?? { clientId, qos }
    subscription.qos = qos
    subscriptions.set(filter, subscription)
    // QoS 0 messages are not kept for absent clients (MQTT 3.1.1 §3.1.2.4 leaves it open).
    if (qos > 0) this.#filters.add(filter, subscription)
    else this.#filters.remove(filter, subscription)
  }

  unsubscribe(clientId: string, filter: string): void {
    const session = this.#sessions.get(clientId)
    const subscription = session?.subscriptions.get(filter)
    if (session === undefined || subscription === undefined) return
    session.subscriptions.delete(filter)
    this.#filters.remove(filter, subscription)
    if (session.subscriptions.size === 0 && session.queue.size === 0) this.#sessions.delete(clientId)
  }

  /** Filter and QoS of every subscription; counts as a use of the session. */
  subscriptions(clientId: string): Array<{ topic: string; qos: QoS }> {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return []
    this.#sessions.delete(clientId)
    this.#sessions.set(clientId, session)
    return Array.from(session.subscriptions, ([topic, { qos }]) => ({ topic, qos }))
  }

  /** Forgets the session: its client starts clean (MQTT-3.1.2-6). */
  clear(clientId: string): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    for (const [filter, subscription] of session.subscriptions) this.#filters.remove(filter, subscription)
    for (const message of session.queue.values()) this.#queuedBytes -= cost(message)
    this.#sessions.delete(clientId)
  }

  /** The sessions that keep messages of `topic`, each with the highest QoS of its matching subscriptions (MQTT-3.3.5-1). */
  keepers(topic: string): ReadonlyMap<string, QoS> | null {
    const found = this.#filters.match(topic)
    if (found.length === 0) return null
    const keepers = new Map<string, QoS>()
    for (const { clientId, qos } of found) {
      if (qos > (keepers.get(clientId) ?? 0)) keepers.set(clientId, qos)
    }
    return keepers
  }

  enqueue(clientId: string, message: QueuedMessage): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    const bytes = this.#queuedBytes + cost(message)
    if (session.queue.size >= this.#limits.maxQueuedMessages || bytes > this.#limits.maxQueuedBytes) {
      this.#events.onQueueFull()
      return
    }
    session.queue.set(message.brokerCounter, message)
    this.#queuedBytes = bytes
  }

  /** The queued message `brokerCounter` goes out as packet `messageId`. */
  markSent(clientId: string, brokerCounter: number, messageId: number): void {
    const session = this.#sessions.get(clientId)
    const message = session?.queue.get(brokerCounter)
    if (session === undefined || message === undefined) return
    message.messageId = messageId
    session.sent.set(messageId, brokerCounter)
  }

  /** A QoS 2 subscriber answered PUBREC: from now on only PUBREL is repeated (MQTT-4.3.3-1). */
  markReceived(clientId: string, messageId: number): void {
    const session = this.#sessions.get(clientId)
    const message = session?.queue.get(session.sent.get(messageId) ?? -1)
    if (message !== undefined) message.cmd = 'pubrel'
  }

  /** The subscriber is done with packet `messageId`. */
  acknowledge(clientId: string, messageId: number): QueuedMessage | undefined {
    const session = this.#sessions.get(clientId)
    const counter = session?.sent.get(messageId)
    if (session === undefined || counter === undefined) return undefined
    session.sent.delete(messageId)
    const message = session.queue.get(counter)
    if (message !== undefined) {
      session.queue.delete(counter)
      this.#queuedBytes -= cost(message)
    }
    return message
  }

  /** What is queued for the client now, oldest first; what has expired before it was sent is dropped. */
  queued(clientId: string, now: Millis): QueuedMessage[] {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return []
    for (const [counter, message] of session.queue) {
      if (message.messageId !== undefined || (message.expires ?? Number.POSITIVE_INFINITY) > now) continue
      session.queue.delete(counter)
      this.#queuedBytes -= cost(message)
    }
    return [...session.queue.values()]
  }

  #use(clientId: string): Session {
    const known = this.#sessions.get(clientId)
    if (known !== undefined) return known
    const oldest = this.#sessions.keys().next()
    if (this.#sessions.size >= this.#limits.maxSessions && !oldest.done) {
      this.clear(oldest.value)
      this.#events.onEvicted()
    }
    const session = new Session()
    this.#sessions.set(clientId, session)
    return session
  }
}

const cost = (message: QueuedMessage): Bytes => message.payload.length + message.topic.length
