import { filterMatches } from '../topic-trie.ts'
import type { SubscriptionOptions } from './control.ts'

/** What the subscriptions of one client that match a topic come to, taken together. */
export interface Grant {
  /** The highest of all (MQTT-3.3.4-2). */
  readonly qos: 0 | 1 | 2
  readonly retainAsPublished: boolean
  /** Of all that have one (MQTT-3.3.4-4). */
  readonly ids: readonly number[]
}

interface Grants {
  /** For messages of others; null: no subscription matches. */
  readonly others: Grant | null
  /** For the client's own messages, where No Local takes subscriptions out. */
  readonly own: Grant | null
}

/** Topics whose grants are remembered. */
const REMEMBERED = 256

/** The subscriptions of one session: a message that several of them match is delivered once. */
export class Subscriptions {
  readonly #byFilter = new Map<string, SubscriptionOptions>()
  readonly #remembered = new Map<string, Grants>()

  get size(): number {
    return this.#byFilter.size
  }

  get filters(): string[] {
    return [...this.#byFilter.keys()]
  }

  /** @returns whether it is new; one that was there is replaced (MQTT-3.8.4-3) */
  set(filter: string, options: SubscriptionOptions): boolean {
    const isNew = !this.#byFilter.has(filter)
    this.#byFilter.set(filter, options)
    this.#remembered.clear()
    return isNew
  }

  /** @returns whether it was there */
  delete(filter: string): boolean {
    this.#remembered.clear()
    return this.#byFilter.delete(filter)
  }

  /** @param own whether the client has published the message itself */
  grant(topic: string, own: boolean): Grant | null {
    let grants = this.#remembered.get(topic)
    if (grants === undefined) {
      const matching = [...this.#byFilter]
        .filter(([filter]) => filterMatches(filter, topic))
        .map(([, options]) => options)
      grants = { others: together(matching), own: together(matching.filter(({ noLocal }) => !noLocal)) }
      if (this.#remembered.size >= REMEMBERED) this.#remembered.clear()
      this.#remembered.set(topic, grants)
    }
    return own ? grants.own : grants.others
  }
}

function together(matching: readonly SubscriptionOptions[]): Grant | null {
  if (matching.length === 0) return null
  return {
    qos: Math.max(...matching.map(({ qos }) => qos)) as 0 | 1 | 2,
    retainAsPublished: matching.some(({ retainAsPublished }) => retainAsPublished),
    ids: matching.flatMap(({ id }) => (id === null ? [] : [id])),
  }
}
