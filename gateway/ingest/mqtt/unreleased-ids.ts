export interface UnreleasedLimits {
  /** Identifiers of one client. */
  maxUnreleased: number
  /** Clients with any; the one that is longest in the list goes first. */
  maxClients: number
}

/**
 * QoS 2 packet identifiers that were received and not yet released by PUBREL (MQTT 3.1.1 §4.3.3, method B): a repeat of one
 * is answered, but not handed to local subscribers again. Only identifiers are kept, never payloads. Whoever
 * stores the messages keeps its own, durable account of them.
 */
export class UnreleasedIds {
  readonly #clients = new Map<string, Set<number>>()
  readonly #limits: UnreleasedLimits

  constructor(limits: UnreleasedLimits) {
    this.#limits = limits
  }

  /** Clients with any identifier awaiting release. */
  get clients(): number {
    return this.#clients.size
  }

  has(clientId: string, messageId: number): boolean {
    return this.#clients.get(clientId)?.has(messageId) ?? false
  }

  /** @returns false when the client has as many as it may */
  add(clientId: string, messageId: number): boolean {
    let ids = this.#clients.get(clientId)
    if (ids === undefined) {
      const oldest = this.#clients.keys().next()
      if (this.#clients.size >= this.#limits.maxClients && !oldest.done) this.#clients.delete(oldest.value)
      ids = new Set()
      this.#clients.set(clientId, ids)
    }
    if (ids.size >= this.#limits.maxUnreleased) return false
    ids.add(messageId)
    return true
  }

  release(clientId: string, messageId: number): void {
    const ids = this.#clients.get(clientId)
    if (ids?.delete(messageId) && ids.size === 0) this.#clients.delete(clientId)
  }

  releaseAll(clientId: string): void {
    this.#clients.delete(clientId)
  }
}
