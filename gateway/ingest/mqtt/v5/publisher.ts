import { type Bytes, describeError } from '../../../../sync/contract/index.ts'
import type { Clock } from '../../../../sync/runtime/index.ts'
import type { Acceptor, Publish, Verdict } from '../../acceptor.ts'
import type { Extras, LocalBroker } from '../local-broker.ts'
import { isReserved, PUBLISH_OVERHEAD, type PublishGate } from '../publish-gate.ts'
import type { UnreleasedIds } from '../unreleased-ids.ts'
import { type Violation, violation } from '../violation.ts'
import { Answers, type Pending } from './answers.ts'
import { carriedOf } from './message.ts'
import { type Answer, answer } from './packets.ts'
import type { IncomingPublish } from './publish.ts'
import { isFailure, REASON } from './reason.ts'
import { saidOf } from './said.ts'
import { type Told, toldOf } from './verdict.ts'

/** What the publisher says its answers with. */
export interface AnswerWire {
  /** PUBACK that says nothing but success: many of them go out in one write. */
  acknowledge(packetId: number): void
  send(packet: Buffer): void
  hold(bytes: Bytes): void
  settle(bytes: Bytes): void
}

export interface PublisherParts {
  acceptor: Acceptor
  clock: Clock
  gate: PublishGate
  local: Pick<LocalBroker, 'distribute' | 'isHeard'>
  unreleased: UnreleasedIds
}

export interface PublisherTerms {
  clientId: string
  /** Publishes of QoS 1 and 2 that are taken before they are answered. */
  receiveMaximum: number
  /** QoS 2 publishes that may be answered by PUBREC and not released. */
  maxUnreleased: number
  /** Whether the client wants to be told more than codes (MQTT 5 §3.1.2.11.7). */
  explain: boolean
  /** Largest packet that the client takes. */
  maxPacketSize: Bytes
  /** The server has nothing of a session of this client: a QoS 2 publish that is no repeat is new (MQTT-4.3.3-4). */
  forgotten: boolean
  /** There is room again. */
  onRoom(): void
  /** Nobody knows what became of a publish: there is no answer, and no more is taken. */
  onLost(reason: string): void
}

/**
 * What a client publishes, from its packets to the acceptor, and the answers back: each when the acceptor is done with it, in the
 * order in which they came, and saying what became of it. For publishes with a response topic the answer is a message, too.
 */
export class Publisher {
  readonly #parts: PublisherParts
  readonly #terms: PublisherTerms
  readonly #wire: AnswerWire
  readonly #answers: Answers
  /** QoS 2 publishes of this connection that are answered by PUBREC and not yet released. */
  readonly #unreleased = new Set<number>()
  #over = false

  constructor(parts: PublisherParts, terms: PublisherTerms, wire: AnswerWire) {
    this.#parts = parts
    this.#terms = terms
    this.#wire = wire
    this.#answers = new Answers((given) => this.#give(given))
  }

  /**
   * Whether one more is taken. A client that keeps to the receive maximum always finds room; one that does not (mqtt.js does not
   * look at it) is not read until it has room: what is not read has not been received.
   */
  get hasRoom(): boolean {
    return this.#answers.count < this.#terms.receiveMaximum
  }

  /** The connection is over: nobody is answered any more. */
  end(): void {
    this.#over = true
  }

  take(publish: IncomingPublish): Violation | null {
    const { topic, payload, qos, dup, packetId, properties, size } = publish
    let pending: Pending | null = null
    if (qos > 0) {
      const { maxUnreleased } = this.#terms
      if (qos === 2 && this.#unreleased.size >= maxUnreleased && !this.#unreleased.has(packetId))
        return violation(
          'RECEIVE_MAXIMUM_EXCEEDED',
          `expected PUBREL for one of ${maxUnreleased} QoS 2 publishes, came another one (MQTT-3.3.4-7)`,
        )
      pending = this.#answers.expect(qos as 1 | 2, packetId)
    }
    const { acceptor, clock, gate } = this.#parts
    if (isReserved(topic)) {
      gate.countReserved()
      if (pending) this.#answers.settle(pending, REASON.notAuthorized)
      return null
    }
    const received = clock.now()
    const said = saidOf(properties)
    const { clientId, forgotten } = this.#terms
    if (forgotten && qos === 2 && !dup && !this.#unreleased.has(packetId)) this.#forget(packetId)
    const bytes = size + PUBLISH_OVERHEAD
    this.#wire.hold(bytes)
    gate.enter()
    const offered: Publish = { clientId, topic, payload, qos, dup, messageId: packetId, received }
    if (said !== null) offered.said = said
    acceptor.accept(offered, (error, verdict) => {
      this.#wire.settle(bytes)
      this.#decided(publish, received, pending, error, verdict)
      gate.leave()
    })
    return null
  }

  /** PUBREL: PUBCOMP follows when the identifier may be used again, over a crash of the gateway, too. */
  release(packetId: number): void {
    const { acceptor, unreleased } = this.#parts
    const { clientId } = this.#terms
    acceptor.released(clientId, packetId).then(
      () => {
        unreleased.release(clientId, packetId)
        this.#unreleased.delete(packetId)
        this.#send('pubcomp', packetId, REASON.success)
      },
      (error: unknown) => this.#lose(describeError(error)),
    )
  }

  /**
   * The client numbers its messages anew, while the acceptor still holds the identifiers of before a restart. Nobody waits: what
   * follows is in the same commit, or a later one.
   */
  #forget(packetId: number): void {
    const { acceptor, unreleased } = this.#parts
    const { clientId } = this.#terms
    unreleased.release(clientId, packetId)
    acceptor.released(clientId, packetId).catch(() => undefined)
  }

  #decided(
    publish: IncomingPublish,
    received: number,
    pending: Pending | null,
    error: Error | null,
    verdict: Verdict | undefined,
  ): void {
    if (error !== null) {
      this.#parts.gate.refused(error, false)
      if (verdict?.outcome !== 'refused') {
        this.#lose(error.message)
        return
      }
      const code = 'code' in error ? `${String(error.code)}: ` : ''
      this.#tell(publish, pending, { reason: REASON.quotaExceeded, text: `${code}${error.message}` })
      return
    }
    const heard = this.#distribute(publish, received)
    const told = toldOf(verdict, heard)
    if (verdict?.outcome !== 'local') this.#respond(publish, told)
    this.#settle(pending, told)
  }

  #tell(publish: IncomingPublish, pending: Pending | null, told: Told): void {
    this.#respond(publish, told)
    this.#settle(pending, told)
  }

  #settle(pending: Pending | null, { reason, text }: Told): void {
    if (pending === null || this.#over) return
    if (pending.qos === 1 || !isFailure(reason)) {
      this.#answers.settle(pending, reason, text)
      return
    }
    // A PUBREC that refuses lets the client use the identifier again (MQTT-4.3.3-8): as with PUBREL, that has to be durable first.
    const { acceptor, unreleased } = this.#parts
    const { clientId } = this.#terms
    acceptor.released(clientId, pending.packetId).then(
      () => {
        unreleased.release(clientId, pending.packetId)
        this.#answers.settle(pending, reason, text)
      },
      (error: unknown) => this.#lose(describeError(error)),
    )
  }

  /** @returns whether a subscriber got it, now or before */
  #distribute({ topic, payload, qos, packetId, retain, properties }: IncomingPublish, now: number): boolean {
    const { local, unreleased } = this.#parts
    const { clientId } = this.#terms
    if (qos === 2) {
      if (unreleased.has(clientId, packetId)) return true
      unreleased.add(clientId, packetId)
    }
    if (!retain && !local.isHeard(topic, qos)) return false
    const extras: Extras = { retain, from: clientId, carried: carriedOf(properties, now) }
    return local.distribute(topic, payload, qos, extras)
  }

  /** The answer as a message, for whoever asked for one (MQTT 5 §4.10). */
  #respond({ topic, properties }: IncomingPublish, { reason, text }: Told): void {
    const { responseTopic, correlationData } = properties
    if (responseTopic === undefined || isReserved(responseTopic)) return
    const payload = Buffer.from(
      JSON.stringify({ reasonCode: reason, topic, ...(text !== undefined && { reason: text }) }),
    )
    const told = carriedOf(
      {
        payloadFormat: 1,
        contentType: 'application/json',
        ...(correlationData !== undefined && { correlationData }),
      },
      0,
    )
    this.#parts.local.distribute(responseTopic, payload, 1, { retain: false, carried: told })
  }

  #give({ qos, packetId, reason, reasonString }: Pending & { reason: number }): void {
    if (this.#over) return
    if (qos === 2 && !isFailure(reason)) this.#unreleased.add(packetId)
    if (qos === 1 && reason === REASON.success && reasonString === undefined) this.#wire.acknowledge(packetId)
    else this.#send(qos === 1 ? 'puback' : 'pubrec', packetId, reason, reasonString)
    this.#terms.onRoom()
  }

  #send(kind: Answer, packetId: number, reason: number, text?: string): void {
    if (this.#over) return
    const { explain, maxPacketSize } = this.#terms
    const full = answer(kind, packetId, reason, explain ? text : undefined)
    // MQTT-3.4.2-2: what would be too large for the client is left out.
    this.#wire.send(full.length > maxPacketSize ? answer(kind, packetId, reason) : full)
  }

  #lose(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#terms.onLost(reason)
  }
}
