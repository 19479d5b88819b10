import { type Violation, violation } from '../violation.ts'

/** Topic names that a client has given a number, for as long as its connection lasts (MQTT 5 §3.3.2.3.4). */
export class TopicAliases {
  readonly #most: number
  readonly #topics = new Map<number, string>()

  /** @param most highest alias, 0 = none */
  constructor(most: number) {
    this.#most = most
  }

  /** @param topic null: the PUBLISH has none of its own (§3.3.2.1) */
  resolve(topic: string | null, alias: number | undefined): string | Violation {
    if (alias === undefined)
      return topic ?? violation('PROTOCOL_ERROR', 'expected a topic name or a topic alias (§3.3.2.1)')
    if (alias === 0 || alias > this.#most)
      return violation('TOPIC_ALIAS_INVALID', `expected a topic alias from 1 to ${this.#most}, came ${alias}`)
    if (topic !== null) {
      this.#topics.set(alias, topic)
      return topic
    }
    return (
      this.#topics.get(alias) ??
      violation('PROTOCOL_ERROR', `expected a topic alias that was given a topic before, came ${alias}`)
    )
  }
}
