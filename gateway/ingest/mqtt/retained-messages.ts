import type { Bytes, Millis } from '../../../sync/contract/index.ts'
import { hasWildcard, TopicTrie } from './topic-trie.ts'
import type { Carried } from './v5/index.ts'

export interface RetainedMessage {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  /** What MQTT 5 has it carry. */
  carried?: Carried
}

/** Topics looked at by one slice of a wildcard look-up before other work gets its turn. */
const SLICE = 500

/**
 * The last retained message of each topic (MQTT 3.1.1 §3.3.1.3), in memory, bounded in number and in bytes: a message
 * that does not fit is not retained, and one that replaces a smaller message without fitting removes it, so that
 * no subscriber is told a value that is known to be out of date.
 */
export class RetainedMessages {
  readonly #messages = new Map<string, RetainedMessage>()
  readonly #limits: { maxRetainedMessages: number; maxRetainedBytes: Bytes }
  readonly #now: () => Millis
  readonly #onExpired: () => void
  #bytes = 0

  /** @param onExpired a message was found whose time is over (MQTT 5 §3.3.2.3.3): it is retained no more */
  constructor(
    limits: { maxRetainedMessages: number; maxRetainedBytes: Bytes },
    now: () => Millis,
    onExpired: () => void,
  ) {
    this.#limits = limits
    this.#now = now
    this.#onExpired = onExpired
  }

  get size(): number {
    return this.#messages.size
  }

  get bytes(): Bytes {
    return this.#bytes
  }

  /** @returns false when the message did not fit; an empty payload clears the topic (MQTT-3.3.1-10) */
  store(topic: string, payload: Buffer, qos: 0 | 1 | 2, carried?: Carried): boolean {
    const previous = this.#messages.get(topic)
    const before = previous === undefined ? 0 : cost(previous)
    // A copy: the payload is a slice of what was read from the socket and would keep all of it alive.
    const message = { topic, payload: Buffer.from(payload), qos, ...(carried && { carried }) }
    const count = this.#messages.size + (previous === undefined ? 1 : 0)
    const bytes = this.#bytes - before + cost(message)
    const fits = count <= this.#limits.maxRetainedMessages && bytes <= this.#limits.maxRetainedBytes
    if (fits && payload.length > 0) {
      this.#messages.set(topic, message)
      this.#bytes = bytes
      return true
    }
    this.#messages.delete(topic)
    this.#bytes -= before
    return payload.length === 0
  }

  /** Each message that one of `filters` matches, once. */
  async *matching(filters: readonly string[]): AsyncGenerator<RetainedMessage> {
    const wildcards = new TopicTrie<true>()
    const sent = new Set<string>()
    for (const filter of filters) {
      if (hasWildcard(filter)) {
        wildcards.add(filter, true)
        continue
      }
      const message = this.#valid(filter)
      if (message === undefined || sent.has(filter)) continue
      sent.add(filter)
      yield message
    }
    if (wildcards.size === 0) return
    let looked = 0
    for (const topic of [...this.#messages.keys()]) {
      if (++looked % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
      if (sent.has(topic) || wildcards.match(topic).length === 0) continue
      const message = this.#valid(topic)
      if (message !== undefined) yield message
    }
  }

  #valid(topic: string): RetainedMessage | undefined {
    const message = this.#messages.get(topic)
    const expires = message?.carried?.expires
    if (message === undefined || expires === undefined || expires > this.#now()) return message
    this.#messages.delete(topic)
    this.#bytes -= cost(message)
    this.#onExpired()
    return undefined
  }
}

const cost = ({ payload, topic, carried }: RetainedMessage): Bytes =>
  payload.length + Buffer.byteLength(topic) + (carried?.size ?? 0)
