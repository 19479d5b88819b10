import type { Millis } from '../../sync/contract/index.ts'

/** Stores (or, with null, deletes) an entry with the next commit. */
export type Attach = (name: string, value: Buffer | null) => void

/** Entries of clients that never came back are dropped beyond this many. */
const MOST = 100_000

/**
 * QoS 2 publishes that are stored and not yet released by their sender (MQTT 3.1.1 §4.3.3, method B). Each entry is
 * durable together with the reading it stands for: a publish that is sent again after its PUBREC was lost, even over a
 * restart of the gateway, is not stored twice, whether or not the reading has anything to recognise it by.
 */
export class Unreleased {
  readonly #attach: Attach
  /** Client id to packet ids; the client heard of longest ago comes first. */
  readonly #clients = new Map<string, Set<number>>()
  #count = 0

  constructor(attach: Attach) {
    this.#attach = attach
  }

  has(clientId: string, messageId: number): boolean {
    return this.#clients.get(clientId)?.has(messageId) ?? false
  }

  add(clientId: string, messageId: number, now: Millis): void {
    const ids = this.#clients.get(clientId) ?? new Set()
    this.#clients.delete(clientId)
    this.#clients.set(clientId, ids)
    if (ids.has(messageId)) return
    ids.add(messageId)
    this.#count++
    this.#attach(entryName(clientId, messageId), Buffer.from(String(now)))
    const [oldest] = this.#clients.keys()
    if (this.#count > MOST && oldest !== undefined) this.release(oldest, null)
  }

  /** @param messageId null = all of the client's: it started a clean session */
  release(clientId: string, messageId: number | null): void {
    const ids = this.#clients.get(clientId)
    if (!ids) return
    for (const id of messageId === null ? [...ids] : [messageId]) {
      if (!ids.delete(id)) continue
      this.#count--
      this.#attach(entryName(clientId, id), null)
    }
    if (ids.size === 0) this.#clients.delete(clientId)
  }

  /** Starts again from what is stored. */
  async rebuild(stored: AsyncIterable<readonly [name: string, value: Buffer]>): Promise<void> {
    this.#clients.clear()
    this.#count = 0
    for await (const [name] of stored) {
      const at = name.lastIndexOf('\0')
      const clientId = name.slice(0, at)
      const ids = this.#clients.get(clientId) ?? new Set()
      ids.add(Number(name.slice(at + 1)))
      this.#clients.set(clientId, ids)
      this.#count++
    }
  }
}

const entryName = (clientId: string, messageId: number): string => `${clientId}\0${messageId}`
