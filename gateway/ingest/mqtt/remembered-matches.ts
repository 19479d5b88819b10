import { TopicTrie } from './topic-trie.ts'

/** Topics whose matches are remembered; a site has about as many topics as sensors. */
const REMEMBERED = 16_384

/** Values by topic filter that remember what they have found: a topic that is asked for again costs one map look-up. */
export class RememberedMatches<V> {
  readonly #values = new TopicTrie<V>()
  readonly #found = new Map<string, readonly V[]>()

  /** Number of (filter, value) pairs. */
  get size(): number {
    return this.#values.size
  }

  add(filter: string, value: V): void {
    this.#values.add(filter, value)
    this.#found.clear()
  }

  remove(filter: string, value: V): void {
    this.#values.remove(filter, value)
    this.#found.clear()
  }

  /** See `TopicTrie.match`. */
  match(topic: string): readonly V[] {
    if (this.#values.size === 0) return NONE
    const known = this.#found.get(topic)
    if (known !== undefined) return known
    const found = this.#values.match(topic)
    if (this.#found.size >= REMEMBERED) this.#found.clear()
    this.#found.set(topic, found)
    return found
  }
}

const NONE: readonly never[] = []
