import type { Bytes } from '../../../../sync/contract/index.ts'
import type { Clock } from '../../../../sync/runtime/index.ts'
import type { FanOut } from '../fan-out.ts'
import type { LocalMessage } from '../local-broker.ts'
import type { MqttCounters } from '../observation.ts'
import { type Budget, Session, type SessionLimits } from './session.ts'

export interface SessionStoreLimits extends SessionLimits {
  /** Sessions without a connection that keep something; the one that is longest without goes first. */
  maxSessions: number
  /** Bytes that all sessions together may keep. */
  maxQueuedBytes: Bytes
  /** Sessions that are remembered although they keep nothing. */
  maxConnections: number
}

interface Away {
  readonly session: Session
  readonly stop: () => void
}

/** The sessions of clients of MQTT 5, in memory and bounded; those without a connection end when they expire (§3.1.2.11.2). */
export class SessionStore implements Budget {
  readonly #parts: { fanOut: FanOut<LocalMessage>; limits: SessionStoreLimits; clock: Clock; counters: MqttCounters }
  readonly #attached = new Map<string, Session>()
  /** In the order in which their clients left. */
  readonly #away = new Map<string, Away>()
  #bytes: Bytes = 0
  /** A session has ended, or would have, had there been one. */
  readonly #onEnded: (clientId: string) => void

  constructor(
    parts: { fanOut: FanOut<LocalMessage>; limits: SessionStoreLimits; clock: Clock; counters: MqttCounters },
    onEnded: (clientId: string) => void,
  ) {
    this.#parts = parts
    this.#onEnded = onEnded
  }

  /** Sessions without a connection. */
  get away(): number {
    return this.#away.size
  }

  take(bytes: Bytes): boolean {
    if (this.#bytes + bytes > this.#parts.limits.maxQueuedBytes) return false
    this.#bytes += bytes
    return true
  }

  give(bytes: Bytes): void {
    this.#bytes -= bytes
  }

  /**
   * The session of a client that has connected.
   *
   * @param clean what was kept of it is forgotten
   * @returns whether it was there before
   */
  open(clientId: string, clean: boolean): { session: Session; present: boolean } {
    const away = this.#away.get(clientId)
    const known = this.#attached.get(clientId) ?? away?.session
    this.#away.delete(clientId)
    away?.stop()
    if (known !== undefined && !clean) {
      this.#attached.set(clientId, known)
      return { session: known, present: true }
    }
    known?.end()
    if (clean) this.#onEnded(clientId)
    const session = new Session(clientId, { ...this.#parts, budget: this })
    this.#attached.set(clientId, session)
    return { session, present: false }
  }

  /**
   * The client has left; nothing happens if it is here again on another connection.
   *
   * @param expiry seconds for which its session is kept
   */
  leave(session: Session, expiry: number): void {
    const { clientId } = session
    if (this.#attached.get(clientId) !== session) return
    this.#attached.delete(clientId)
    if (expiry === 0) {
      session.end()
      this.#onEnded(clientId)
      return
    }
    const { clock, limits, counters } = this.#parts
    this.#away.set(clientId, { session, stop: clock.after(expiry * 1000, () => this.forget(clientId)) })
    const tooMany = this.#away.size > limits.maxConnections
    const keeping = tooMany || !session.isEmpty ? [...this.#away.values()].filter((one) => !one.session.isEmpty) : []
    const oldest = tooMany ? this.#away.values().next().value : keeping[0]
    if (oldest === undefined || (!tooMany && keeping.length <= limits.maxSessions)) return
    counters.increment('sessions.evicted')
    this.forget(oldest.session.clientId)
  }

  /** Ends what is kept of a client that is away. */
  forget(clientId: string): void {
    const away = this.#away.get(clientId)
    if (away === undefined) return
    this.#away.delete(clientId)
    away.stop()
    away.session.end()
    this.#onEnded(clientId)
  }

  /** Ends all that is away. */
  close(): void {
    for (const clientId of [...this.#away.keys()]) this.forget(clientId)
  }
}
