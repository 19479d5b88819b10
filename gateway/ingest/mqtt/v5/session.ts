import type { Bytes } from '../../../../sync/contract/index.ts'
import type { Clock } from '../../../../sync/runtime/index.ts'
import type { Deliver, FanOut } from '../fan-out.ts'
import type { LocalMessage } from '../local-broker.ts'
import type { MqttCounters } from '../observation.ts'
import type { RetainedMessage } from '../retained-messages.ts'
import type { SubscriptionOptions } from './control.ts'
import { type Carried, propertiesFor } from './message.ts'
import { answer, publish } from './packets.ts'
import { isFailure } from './reason.ts'
import { Subscriptions } from './subscriptions.ts'

type QoS = 0 | 1 | 2

/** The connection of a session's client, while there is one. */
export interface Outlet {
  send(packet: Buffer): void
  /** Bytes that the client has not taken yet. */
  readonly backlog: Bytes
  /** Publishes of QoS 1 and 2 that the client takes before it has answered (MQTT-3.3.4-9). */
  readonly receiveMaximum: number
  /** Larger packets are not sent to it (MQTT-3.1.2-24). */
  readonly maxPacketSize: Bytes
}

export interface SessionLimits {
  /** Messages that wait, or are not answered. */
  maxQueuedMessages: number
  slowReaderBytes: Bytes
}

/** Bytes that all sessions together may keep. */
export interface Budget {
  take(bytes: Bytes): boolean
  give(bytes: Bytes): void
}

export interface SessionParts {
  fanOut: FanOut<LocalMessage>
  limits: SessionLimits
  budget: Budget
  clock: Clock
  counters: MqttCounters
}

/** A message on its way to the subscriber, at QoS 1 or 2. */
interface Queued {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly carried: Carried | undefined
  readonly ids: readonly number[]
  /** It came back by PUBREC: from now on only PUBREL is said (MQTT-4.3.3-7). */
  received: boolean
}

const LAST_ID = 0xffff

/**
 * What the server keeps of a client of MQTT 5 (§4.1): its subscriptions, and what is on its way to it. It takes part in the fan-out
 * for as long as it lives, with a connection or without.
 *
 *     away ── `attach` ──▶ attached ── `detach` ──▶ away ── `end` ──▶ ended
 *
 * Messages of QoS 1 and 2 wait in the order in which they came, and no more of them are out than the client takes at a time;
 * QoS 0 goes out at once, or not at all.
 */
export class Session {
  readonly clientId: string
  readonly subscriptions = new Subscriptions()
  readonly #parts: SessionParts
  readonly #waiting: Queued[] = []
  /** By packet identifier, in the order in which they were sent. */
  readonly #sent = new Map<number, Queued>()
  #outlet: Outlet | null = null
  #lastId = 0
  /** Number of the last message taken: the fan-out has one for each matching filter. */
  #last = 0

  constructor(clientId: string, parts: SessionParts) {
    this.clientId = clientId
    this.#parts = parts
  }

  /** Whether there is nothing that anybody would miss. */
  get isEmpty(): boolean {
    return this.subscriptions.size === 0 && this.#waiting.length === 0 && this.#sent.size === 0
  }

  /** The client is here: what it has not answered is sent once more (MQTT-4.4.0-1), then what waited. */
  attach(outlet: Outlet): void {
    this.#outlet = outlet
    const again = [...this.#sent]
    this.#sent.clear()
    for (const [id, queued] of again) {
      if (queued.received) {
        this.#sent.set(id, queued)
        outlet.send(answer('pubrel', id))
      } else this.#send(id, queued, true)
    }
    this.#pump()
  }

  detach(outlet: Outlet): void {
    if (this.#outlet === outlet) this.#outlet = null
  }

  /** @returns whether the subscription is new */
  subscribe(filter: string, options: SubscriptionOptions): boolean {
    const isNew = this.subscriptions.set(filter, options)
    if (isNew) this.#parts.fanOut.on(filter, this.#deliver)
    return isNew
  }

  /** @returns whether it was subscribed to */
  unsubscribe(filter: string): boolean {
    this.#parts.fanOut.removeListener(filter, this.#deliver)
    return this.subscriptions.delete(filter)
  }

  /** A message that was retained before the client subscribed (MQTT-3.3.1-8). */
  giveRetained(message: RetainedMessage, { qos, id }: SubscriptionOptions): void {
    const { topic, payload, carried } = message
    this.#offer({ topic, payload, qos: message.qos, carried }, qos, true, id === null ? [] : [id])
  }

  /** PUBACK or PUBCOMP, or a PUBREC that refuses: the client is done with it. */
  done(packetId: number): void {
    const queued = this.#sent.get(packetId)
    if (queued === undefined) return
    this.#sent.delete(packetId)
    this.#parts.budget.give(cost(queued))
    this.#pump()
  }

  /** PUBREC. */
  received(packetId: number, reason: number): void {
    if (isFailure(reason)) {
      this.done(packetId)
      return
    }
    const queued = this.#sent.get(packetId)
    if (queued !== undefined) queued.received = true
    this.#outlet?.send(answer('pubrel', packetId))
  }

  /** It is forgotten. */
  end(): void {
    const { fanOut, budget } = this.#parts
    for (const filter of this.subscriptions.filters) fanOut.removeListener(filter, this.#deliver)
    for (const queued of [...this.#waiting, ...this.#sent.values()]) budget.give(cost(queued))
    this.#waiting.length = 0
    this.#sent.clear()
    this.#outlet = null
  }

  readonly #deliver: Deliver<LocalMessage> = (message) => {
    if (message.brokerCounter === this.#last) return
    this.#last = message.brokerCounter
    const grant = this.subscriptions.grant(message.topic, message.from === this.clientId)
    if (grant !== null) this.#offer(message, grant.qos, message.retain && grant.retainAsPublished, grant.ids)
  }

  #offer(
    {
      topic,
      payload,
      qos,
      carried,
    }: Pick<LocalMessage, 'topic' | 'payload' | 'qos'> & { carried?: Carried | undefined },
    granted: QoS,
    retain: boolean,
    ids: readonly number[],
  ): void {
    const { counters, limits, budget } = this.#parts
    const lower = Math.min(qos, granted) as QoS
    if (lower === 0) {
      const outlet = this.#outlet
      if (outlet === null) return
      if (outlet.backlog > limits.slowReaderBytes) counters.increment('forwards.droppedSlow')
      else this.#write(outlet, { topic, payload, qos: 0, retain, carried, ids }, 0, false)
      return
    }
    // A copy: the payload is a slice of what was read from the socket and would keep all of it alive.
    const queued: Queued = { topic, payload: Buffer.from(payload), qos: lower, retain, carried, ids, received: false }
    if (this.#waiting.length + this.#sent.size >= limits.maxQueuedMessages || !budget.take(cost(queued))) {
      counters.increment('sessions.droppedQueueFull')
      return
    }
    this.#waiting.push(queued)
    this.#pump()
  }

  #pump(): void {
    const outlet = this.#outlet
    if (outlet === null) return
    while (this.#sent.size < outlet.receiveMaximum && this.#waiting.length > 0) {
      // Its answers start it again.
      if (this.#sent.size > 0 && outlet.backlog > this.#parts.limits.slowReaderBytes) return
      const queued = this.#waiting.shift()
      if (queued !== undefined) this.#send(this.#nextId(), queued, false)
    }
  }

  #send(packetId: number, queued: Queued, dup: boolean): void {
    const { budget } = this.#parts
    this.#sent.set(packetId, queued)
    if (this.#outlet !== null && this.#write(this.#outlet, queued, packetId, dup)) return
    this.#sent.delete(packetId)
    budget.give(cost(queued))
  }

  /** @returns false when it cannot be delivered to this client: it has expired, or is too large */
  #write(
    outlet: Outlet,
    message: Pick<Queued, 'topic' | 'payload' | 'retain' | 'carried' | 'ids'> & { qos: QoS },
    packetId: number,
    dup: boolean,
  ): boolean {
    const { clock, counters } = this.#parts
    const { topic, payload, qos, retain, carried, ids } = message
    const properties = propertiesFor(carried, ids, clock.now())
    if (properties === null) {
      counters.increment('forwards.droppedExpired')
      return false
    }
    const packet = publish({ topic, payload, qos, retain, dup, packetId, properties })
    if (packet.length > outlet.maxPacketSize) {
      counters.increment('forwards.droppedTooLarge')
      return false
    }
    outlet.send(packet)
    return true
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1
    while (this.#sent.has(this.#lastId))
    return this.#lastId
  }
}

const cost = ({ topic, payload, carried }: Queued): Bytes => payload.length + topic.length + (carried?.size ?? 0)
