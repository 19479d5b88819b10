import type { Bytes, Millis } from '../../../sync/contract/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'
import type { Acceptor, Batch, Publish } from '../acceptor.ts'
import type { Client } from './aedes-internals.ts'
import type { FrameSink, PublishFrame } from './frame-guard.ts'
import type { GuardedSocket } from './guarded-socket.ts'
import type { LocalBroker } from './local-broker.ts'
import type { PeerLink } from './peer-link.ts'
import { isReserved, PUBLISH_OVERHEAD, type PublishGate } from './publish-gate.ts'

export interface DirectWayParts {
  acceptor: Acceptor
  clock: Clock
  gate: PublishGate
  local: Pick<LocalBroker, 'distribute' | 'isHeard'>
  /** Without it, only peers go this way. */
  enabled: boolean
}

/**
 * The direct way of one connection's publishes from the frame guard to the acceptor, past the parser and the handlers of the
 * broker library: QoS 0 and 1 without RETAIN, which is what devices send. Everything else takes the library's way.
 *
 *     closed ── `open` ──▶ direct ── `onLeft` ──▶ behind ── as many `caughtUp` ──▶ direct
 *
 * While behind, a publish is still on the library's way, and all that follow it go the same way: so publishes reach the
 * acceptor, their acknowledgements the client, and their copies the local subscribers in the order of arrival
 * (MQTT-4.6.0-2, -6). It is behind from the start for what comes together with CONNECT.
 */
export class DirectWay implements FrameSink {
  readonly #parts: DirectWayParts
  #client: Client | null = null
  #connection: GuardedSocket | null = null
  #peer: PeerLink | null = null
  /** Publishes on the library's way. */
  #behind = 0
  /** Plain publishes that the acceptor answers together; null when the next one needs an answer behind theirs. */
  #batch: Batch | null = null
  /** When what is being read came; null before its first publish. */
  #now: Millis | null = null
  readonly #settled = (batch: Batch, error: Error | null): void => this.#answerBatch(batch, error)

  constructor(parts: DirectWayParts) {
    this.#parts = parts
  }

  /**
   * The library has accepted the client.
   *
   * @param peer where its publishes go, if it is a peer
   */
  open(client: Client, connection: GuardedSocket, peer: PeerLink | null): void {
    this.#client = client
    this.#connection = connection
    this.#peer = peer
  }

  /** The library is done with a publish: acknowledged (unless QoS 2, whose PUBREC has an order of its own) and handed on. */
  caughtUp(): void {
    if (this.#behind > 0) this.#behind--
  }

  takes(qos: 0 | 1 | 2, retain: boolean): boolean {
    // A client whose id was taken over is closed some turns before its socket is.
    if (this.#behind > 0 || qos === 2 || retain || this.#client?.closed !== false) return false
    return this.#parts.enabled || this.#peer !== null
  }

  onLeft(): void {
    this.#behind++
    this.#batch = null
  }

  onTaken(frame: PublishFrame): void {
    const client = this.#client
    const connection = this.#connection
    if (client === null || connection === null) return
    if (this.#peer !== null) {
      this.#peer.take(frame)
      return
    }
    const { acceptor, clock, gate, local } = this.#parts
    const { data, topic, payloadStart, end, packetId, qos, dup } = frame
    if (isReserved(topic)) {
      gate.countReserved()
      if (qos === 0) return
      this.#batch = null
      gate.answerReserved(connection, (error) => {
        if (error === null) connection.acknowledge(packetId)
        else client.emit('error', error)
      })
      return
    }
    this.#now ??= clock.now()
    const received = this.#now
    const offered = !local.isHeard(topic, qos === 0 ? 0 : 1)
    if (offered) {
      const batch = acceptor.acceptPlain(frame, received, this.#batch, this.#settled)
      if (batch !== null) {
        this.#batch = batch
        connection.hold(end - payloadStart + PUBLISH_OVERHEAD)
        gate.enter()
        return
      }
    }
    // What comes behind it is answered behind it.
    this.#batch = null
    const payload = Buffer.from(data.subarray(payloadStart, end))
    const publish: Publish = {
      clientId: client.id,
      topic,
      payload,
      qos,
      dup,
      messageId: packetId,
      received,
    }
    if (offered) publish.offered = true
    connection.hold(payload.length + PUBLISH_OVERHEAD)
    gate.enter()
    acceptor.accept(publish, (error) => this.#answer(client, connection, publish, error))
  }

  onChunk(): void {
    // MQTT-3.1.2-24: any packet shows that the client is there. The library's timer is not set once the client is closed.
    this.#client?._keepaliveTimer?.refresh()
    this.#now = null
  }

  /** The same as for each of them by itself, but that nobody listens. */
  #answerBatch(batch: Batch, error: Error | null): void {
    const client = this.#client
    const connection = this.#connection
    if (client === null || connection === null) return
    const { gate } = this.#parts
    const { publishes, bytes, packetIds } = batch
    if (this.#batch === batch) this.#batch = null
    connection.settle(bytes + publishes * PUBLISH_OVERHEAD)
    if (error === null) for (const id of packetIds) connection.acknowledge(id)
    else {
      gate.refused(error, false, publishes)
      client.emit('error', error)
    }
    gate.leave(publishes)
  }

  #answer(client: Client, connection: GuardedSocket, publish: Publish, error: Error | null): void {
    const { gate, local } = this.#parts
    const bytes: Bytes = publish.payload.length + PUBLISH_OVERHEAD
    connection.settle(bytes)
    if (error === null) {
      if (publish.qos === 1) connection.acknowledge(publish.messageId)
      local.distribute(publish.topic, publish.payload, publish.qos)
    } else {
      gate.refused(error, false)
      // What the library does with a publish that it may not take: the connection is destroyed, its will published.
      client.emit('error', error)
    }
    gate.leave()
  }
}
