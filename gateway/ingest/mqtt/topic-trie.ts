interface Node<V> {
  readonly children: Map<string, Node<V>>
  readonly values: Set<V>
}

const makeNode = <V>(): Node<V> => ({ children: new Map(), values: new Set() })

/**
 * Values by topic filter, found by topic name (MQTT 3.1.1 §4.7): `+` is one level (also an empty one), `#` any number of
 * levels including none, and neither matches the first level of a topic that begins with `$` (MQTT-4.7.2-1).
 * A look-up visits only nodes that can match, each at most once.
 */
export class TopicTrie<V> {
  readonly #root = makeNode<V>()
  #size = 0

  /** Number of (filter, value) pairs. */
  get size(): number {
    return this.#size
  }

  add(filter: string, value: V): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = makeNode()
        node.children.set(level, child)
      }
      node = child
    }
    if (node.values.has(value)) return
    node.values.add(value)
    this.#size++
  }

  remove(filter: string, value: V): void {
    const path: Array<{ node: Node<V>; level: string }> = []
    let node = this.#root
    for (const level of filter.split('/')) {
      const child = node.children.get(level)
      if (child === undefined) return
      path.push({ node, level })
      node = child
    }
    if (!node.values.delete(value)) return
    this.#size--
    for (const { node: parent, level } of path.reverse()) {
      const child = parent.children.get(level)
      if (child === undefined || child.children.size > 0 || child.values.size > 0) return
      parent.children.delete(level)
    }
  }

  /** Every value whose filter matches `topic`, in no particular order; a value under two filters comes twice. */
  match(topic: string): V[] {
    const found: V[] = []
    if (this.#size > 0) collect(this.#root, topic.split('/'), 0, topic.startsWith('$'), found)
    return found
  }
}

function collect<V>(node: Node<V>, levels: readonly string[], depth: number, reserved: boolean, found: V[]): void {
  const { children } = node
  const wildcards = !(reserved && depth === 0)
  const rest = wildcards ? children.get('#') : undefined
  if (rest !== undefined) for (const value of rest.values) found.push(value)
  const level = levels[depth]
  if (level === undefined) {
    for (const value of node.values) found.push(value)
    return
  }
  const exact = children.get(level)
  if (exact !== undefined) collect(exact, levels, depth + 1, reserved, found)
  const any = wildcards ? children.get('+') : undefined
  if (any !== undefined) collect(any, levels, depth + 1, reserved, found)
}

/** Whether `filter` matches `topic`, by the same rules, for a single pair. */
export function filterMatches(filter: string, topic: string): boolean {
  if (filter === topic) return true
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false
  for (const [i, want] of wanted.entries()) {
    if (want === '#') return true
    if (i >= levels.length || (want !== '+' && want !== levels[i])) return false
  }
  return wanted.length === levels.length
}

/** Whether a topic filter contains a wildcard, so that it can match more than the topic of its own name. */
export const hasWildcard = (filter: string): boolean => filter.includes('+') || filter.includes('#')
