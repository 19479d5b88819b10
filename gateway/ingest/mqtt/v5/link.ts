import { randomUUID } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { type Bytes, type Millis, RetryableError } from '../../../../sync/contract/index.ts'
import type { KnownTexts } from '../../known-texts.ts'
import type { Client } from '../aedes-internals.ts'
import type { FrameLimits } from '../frame-guard.ts'
import type { Guard, Voice } from '../guard.ts'
import type { GuardedSocket } from '../guarded-socket.ts'
import { PACKET } from '../packet-types.ts'
import type { RetainedMessages } from '../retained-messages.ts'
import type { SubscriberPolicy } from '../subscriber-policy.ts'
import { filterMatches } from '../topic-trie.ts'
import { type Violation, violation } from '../violation.ts'
import { type Connect, LIBRARY_DISCONNECT, libraryConnect, readConnect, type Will } from './connect.ts'
import {
  readAnswer,
  readDisconnect,
  readSubscribe,
  readUnsubscribe,
  SHARED,
  type Subscribe,
  type SubscriptionOptions,
  type Unsubscribe,
} from './control.ts'
import { type Frame, FrameReader } from './frame-reader.ts'
import { connack, disconnect, PINGRESP, subscribed } from './packets.ts'
import { readPublish } from './publish.ts'
import { Publisher, type PublisherParts } from './publisher.ts'
import { REASON, type Reason, reasonOf } from './reason.ts'
import type { Outlet, Session } from './session.ts'
import type { SessionStore } from './session-store.ts'
import { type Terms, termsFor } from './terms.ts'
import { TopicAliases } from './topic-aliases.ts'
import type { Wills } from './wills.ts'

export interface LinkLimits extends FrameLimits {
  maxKeepAlive: Millis
  maxInflightBytes: Bytes
  maxUnreleased: number
  receiveMaximum: number
  topicAliasMaximum: number
  maxSessionExpiry: Millis
}

export interface LinkParts extends PublisherParts {
  limits: LinkLimits
  topics: KnownTexts
  policy: SubscriberPolicy
  retained: RetainedMessages
  sessions: SessionStore
  wills: Wills
  /** Where clients are sent that are asked to leave; null: nowhere, the server shuts down. */
  elsewhere: { reference: string | null } | null
}

/** Flag bits that a client has to send with each packet type (MQTT 5 §2.1.3); -1 = no client may send the type. */
const FLAGS: readonly number[] = [-1, 0, -1, 0, 0, 0, 2, 0, 2, -1, 2, -1, 0, -1, 0, 0]

/** Room for a reason and properties in packets that otherwise hold two bytes. */
const SMALL: Bytes = 4 * 1024
/** How long a client may take to read why its connection ends. */
const LINGER: Millis = 1_000

/** What a connection is once the library has accepted it. */
interface Opened {
  readonly client: Client
  readonly connection: GuardedSocket
  readonly publisher: Publisher
  readonly session: Session
  readonly outlet: Outlet
}

/**
 * The adapter of one connection of MQTT 5. In place of the frame guard it takes every byte of the client; the broker library is
 * shown a CONNECT of 3.1.1 and, if the client says goodbye, a DISCONNECT, and is not heard by the client at all.
 *
 *     awaiting-connect ── CONNECT ──▶ connecting ── `open` ──▶ open ── DISCONNECT ──▶ ended
 *            └──────── violation ──────────┴──────────────────────┴──▶ refused
 *
 * While connecting, what comes is kept (a chunk at most: the socket rests) until the library has accepted the client.
 */
export class Mqtt5Link implements Guard, Voice {
  readonly #parts: LinkParts
  readonly #reader: FrameReader
  readonly #aliases: TopicAliases
  #state: 'awaiting-connect' | 'connecting' | 'open' | 'ended' | 'refused' = 'awaiting-connect'
  #passed: Buffer | null = null
  #violation: Violation | null = null
  #connect: Connect | null = null
  #terms: Terms | null = null
  #opened: Opened | null = null
  #will: Will | null = null
  /** Seconds. */
  #sessionExpiry = 0
  #reading = false
  /** A packet waits until there is room for publishes; the socket rests. */
  #stalled = false
  /** What is said when the connection ends; the first reason is the one. */
  #last: Buffer | null = null

  constructor(parts: LinkParts) {
    this.#parts = parts
    const { limits } = parts
    this.#reader = new FrameReader((type) => largest(type, limits))
    this.#aliases = new TopicAliases(limits.topicAliasMaximum)
  }

  get state(): Guard['state'] {
    return this.#state === 'connecting' ? 'open' : this.#state
  }

  get passed(): Buffer | null {
    return this.#passed
  }

  widen(): void {
    // Only peers may send more than others, and they do not speak MQTT 5.
  }

  push(chunk: Buffer): Violation | null {
    this.#passed = null
    if (this.#state === 'refused') return this.#violation
    if (this.#state === 'ended') return null
    // What waits for room is read later.
    this.#reader.feed(Buffer.from(chunk))
    return this.#read()
  }

  /** The library has accepted the client: it is welcome. */
  open(client: Client, connection: GuardedSocket): void {
    const { sessions, wills, limits } = this.#parts
    const terms = this.#terms
    const connect = this.#connect
    if (this.#state !== 'connecting' || terms === null || connect === null) return
    const { clientId } = terms
    const { session, present } = sessions.open(clientId, connect.cleanStart)
    wills.cancel(clientId)
    for (const filter of session.subscriptions.filters)
      if (this.#parts.policy.judge(client, filter) !== 'granted') session.unsubscribe(filter)
    const publisher = new Publisher(
      this.#parts,
      {
        clientId,
        receiveMaximum: limits.receiveMaximum,
        maxUnreleased: limits.maxUnreleased,
        explain: terms.explain,
        maxPacketSize: terms.maxPacketSize,
        forgotten: !present && !connect.cleanStart,
        onRoom: () => this.#readOn(),
        onLost: (reason) => this.#lost(client, reason),
      },
      connection,
    )
    const outlet: Outlet = {
      send: (packet) => connection.send(packet),
      get backlog() {
        return connection.backlog
      },
      receiveMaximum: terms.receiveMaximum,
      maxPacketSize: terms.maxPacketSize,
    }
    this.#opened = { client, connection, publisher, session, outlet }
    this.#will = connect.will
    this.#sessionExpiry = terms.sessionExpiry
    this.#connect = null
    this.#state = 'open'
    connection.once('close', () => this.#closed())
    connection.send(connack(REASON.success, present, terms.welcome))
    session.attach(outlet)
    this.#resume(connection)
  }

  /** The library does not want the client: it is not who it says it is. */
  refused(): void {
    this.#endsWith(REASON.notAuthorized)
  }

  /** Another connection has the client id now (MQTT-3.1.4-3). */
  takenOver(): void {
    this.#endsWith(REASON.sessionTakenOver)
  }

  /** The client was silent for too long (MQTT-3.1.2-22). */
  silent(): void {
    this.#endsWith(REASON.keepAliveTimeout)
  }

  fault({ code, message }: Violation): void {
    this.#state = 'refused'
    this.#endsWith(reasonOf(code), `${code}: ${message}`)
  }

  farewell(): Buffer | null {
    if (this.#state !== 'open') return null
    const { elsewhere } = this.#parts
    if (elsewhere === null) return disconnect(REASON.serverShuttingDown)
    const { reference } = elsewhere
    return disconnect(REASON.useAnotherServer, reference === null ? {} : { serverReference: reference })
  }

  part(socket: Duplex): boolean {
    const last = this.#last
    if (last === null || socket.destroyed || socket.writableEnded) return false
    socket.end(last)
    // Unread bytes would make the operating system reset the connection, and the client miss the reason.
    socket.resume()
    const stop = this.#parts.clock.after(LINGER, () => socket.destroy())
    socket.once('close', stop)
    return true
  }

  /** There is room for publishes: a packet that waited for it goes on. */
  #readOn(): void {
    const opened = this.#opened
    if (!this.#stalled || this.#reading || opened === null || !opened.publisher.hasRoom) return
    this.#stalled = false
    opened.connection.settle(this.#parts.limits.maxInflightBytes)
    this.#resume(opened.connection)
  }

  /** Handles what has been kept. */
  #resume(connection: GuardedSocket): void {
    this.#passed = null
    const fault = this.#read()
    if (fault !== null) connection.refuse(fault)
    else if (this.#passed !== null) connection.push(this.#passed)
  }

  #read(): Violation | null {
    this.#reading = true
    const fault = this.#readAll()
    this.#reading = false
    return fault
  }

  /** Handles packet after packet, as far as they are whole, the client is accepted, and there is room. */
  #readAll(): Violation | null {
    while (this.#state === 'awaiting-connect' || this.#state === 'open') {
      if (this.#opened !== null && !this.#opened.publisher.hasRoom) {
        if (!this.#stalled) this.#opened.connection.hold(this.#parts.limits.maxInflightBytes)
        this.#stalled = true
        break
      }
      const frame = this.#reader.next()
      if (frame === null) break
      const fault = 'code' in frame ? frame : this.#handle(frame)
      if (fault !== null) {
        this.#state = 'refused'
        this.#violation = fault
        this.#passed = null
        return fault
      }
      // A publish that was lost at once has cut the connection.
      if (this.#opened?.connection.destroyed) break
    }
    // MQTT-3.1.2-22: any packet shows that the client is there. The library's timer is not set once the client is closed.
    this.#opened?.client._keepaliveTimer?.refresh()
    return null
  }

  #handle({ type, flags, data, start, end }: Frame): Violation | null {
    if (type !== PACKET.publish && FLAGS[type] !== flags) {
      if (FLAGS[type] === -1) return violation('PACKET_TYPE_FORBIDDEN', `no client may send packet type ${type}`)
      return violation('FLAGS_RESERVED', `packet type ${type} with flags ${flags} (MQTT-2.1.3-1)`)
    }
    const opened = this.#opened
    if (opened === null) return this.#begin(data, start, end)
    const { limits, topics } = this.#parts
    switch (type) {
      case PACKET.publish: {
        const publish = readPublish(data, start, end, flags, { topics, aliases: this.#aliases, limits })
        return 'code' in publish ? publish : opened.publisher.take(publish)
      }
      case PACKET.puback:
      case PACKET.pubrec:
      case PACKET.pubrel:
      case PACKET.pubcomp: {
        const answer = readAnswer(data, start, end)
        if ('code' in answer) return answer
        const { packetId, reason } = answer
        if (type === PACKET.pubrel) opened.publisher.release(packetId)
        else if (type === PACKET.pubrec) opened.session.received(packetId, reason)
        else opened.session.done(packetId)
        return null
      }
      case PACKET.subscribe: {
        const subscribe = readSubscribe(data, start, end, limits)
        if ('code' in subscribe) return subscribe
        this.#subscribe(subscribe, opened)
        return null
      }
      case PACKET.unsubscribe: {
        const unsubscribe = readUnsubscribe(data, start, end, limits)
        if ('code' in unsubscribe) return unsubscribe
        this.#unsubscribe(unsubscribe, opened)
        return null
      }
      case PACKET.pingreq:
        if (end > start) return violation('PACKET_MALFORMED', 'expected nothing in PINGREQ')
        opened.connection.send(PINGRESP)
        return null
      case PACKET.disconnect:
        return this.#goodbye(data, start, end)
      case PACKET.auth:
        return violation('PROTOCOL_ERROR', 'expected no AUTH without a method in CONNECT (MQTT-4.12.0-6)')
      default:
        return violation('SECOND_CONNECT', 'expected one CONNECT only (MQTT-3.1.0-2)')
    }
  }

  #begin(data: Buffer, start: number, end: number): Violation | null {
    const { limits } = this.#parts
    const connect = readConnect(data, start, end, limits)
    if ('code' in connect) return connect
    const terms = termsFor(connect, limits, () => `auto-${randomUUID()}`)
    this.#connect = connect
    this.#terms = terms
    this.#passed = libraryConnect(terms.clientId, terms.keepAlive, connect)
    this.#state = 'connecting'
    return null
  }

  #subscribe({ packetId, subscriptions }: Subscribe, { client, connection, session }: Opened): void {
    const { policy } = this.#parts
    const wanted: Array<{ filter: string; options: SubscriptionOptions }> = []
    const reasons = subscriptions.map(({ filter, options }) => {
      if (filter.startsWith(SHARED)) return REASON.sharedSubscriptionsNotSupported
      const verdict = policy.judge(client, filter)
      if (verdict !== 'granted') return verdict === 'denied' ? REASON.notAuthorized : REASON.quotaExceeded
      const isNew = session.subscribe(filter, options)
      const { retainHandling } = options
      if (retainHandling === 0 || (retainHandling === 1 && isNew)) wanted.push({ filter, options })
      return options.qos
    })
    connection.send(subscribed('suback', packetId, reasons))
    if (wanted.length > 0) void this.#sendRetained(wanted, connection, session)
  }

  async #sendRetained(
    wanted: ReadonlyArray<{ filter: string; options: SubscriptionOptions }>,
    connection: GuardedSocket,
    session: Session,
  ): Promise<void> {
    for await (const message of this.#parts.retained.matching(wanted.map(({ filter }) => filter))) {
      if (connection.destroyed) return
      for (const { filter, options } of wanted)
        if (filterMatches(filter, message.topic)) session.giveRetained(message, options)
    }
  }

  #unsubscribe({ packetId, filters }: Unsubscribe, { client, connection, session }: Opened): void {
    const reasons = filters.map((filter) =>
      session.unsubscribe(filter) ? REASON.success : REASON.noSubscriptionExisted,
    )
    this.#parts.policy.revoke(client, filters)
    connection.send(subscribed('unsuback', packetId, reasons))
  }

  /** DISCONNECT of the client (MQTT 5 §3.14). */
  #goodbye(data: Buffer, start: number, end: number): Violation | null {
    const disconnected = readDisconnect(data, start, end)
    if ('code' in disconnected) return disconnected
    const { reason, properties } = disconnected
    const { sessionExpiry } = properties
    if (sessionExpiry !== undefined) {
      // MQTT-3.14.2-2.
      if (this.#sessionExpiry === 0 && sessionExpiry > 0)
        return violation('PROTOCOL_ERROR', 'expected a session expiry in CONNECT already, or none here (§3.14.2.2.2)')
      this.#sessionExpiry = Math.min(sessionExpiry, Math.floor(this.#parts.limits.maxSessionExpiry / 1000))
    }
    // MQTT-3.1.2-10: any other reason leaves the will to be published.
    if (reason === REASON.success) this.#will = null
    this.#state = 'ended'
    this.#passed = LIBRARY_DISCONNECT
    return null
  }

  #lost(client: Client, reason: string): void {
    this.#endsWith(REASON.serverBusy, reason)
    // What the library does with a publish that it may not take: the connection is destroyed.
    client.emit('error', new RetryableError('MQTT_PUBLISH_LOST', reason))
  }

  #closed(): void {
    const opened = this.#opened
    if (opened === null) return
    const { publisher, session, outlet } = opened
    const { sessions, wills } = this.#parts
    publisher.end()
    session.detach(outlet)
    const will = this.#will
    if (will !== null) {
      const delay = Math.min(will.properties.willDelay ?? 0, this.#sessionExpiry)
      wills.add(session.clientId, will, delay * 1000)
    }
    sessions.leave(session, this.#sessionExpiry)
  }

  /** The connection ends for this reason, said with CONNACK or DISCONNECT; the first reason counts. */
  #endsWith(reason: Reason, text?: string): void {
    if (this.#last !== null || this.#state === 'ended') return
    const told = text === undefined ? {} : { reasonString: text }
    const full = this.#opened === null ? connack(reason, false, told) : disconnect(reason, told)
    const fits = full.length <= (this.#terms?.maxPacketSize ?? full.length)
    this.#last = fits ? full : this.#opened === null ? connack(reason, false, {}) : disconnect(reason)
  }
}

/** Remaining length that a packet of a type may have. */
function largest(type: number, limits: FrameLimits): Bytes {
  if (type === PACKET.publish) return limits.maxPublishBytes
  if (type === PACKET.connect) return limits.maxConnectBytes
  if (type === PACKET.subscribe || type === PACKET.unsubscribe) return limits.maxSubscribeBytes
  return SMALL
}
