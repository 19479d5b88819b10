/** The answer to one publish of QoS 1 or 2. */
export interface Pending {
  readonly qos: 1 | 2
  readonly packetId: number
  /** null: not known yet. */
  reason: number | null
  reasonString: string | undefined
}

/**
 * Answers to the publishes of one connection, given in the order in which the publishes came (MQTT-4.6.0-2), whatever the order in
 * which they are found: a refusal is known at once, and waits for what is still on its way to the disk.
 */
export class Answers {
  readonly #give: (answer: Pending & { reason: number }) => void
  readonly #waiting: Pending[] = []

  constructor(give: (answer: Pending & { reason: number }) => void) {
    this.#give = give
  }

  /** Publishes without an answer. */
  get count(): number {
    return this.#waiting.length
  }

  /** A publish has come. */
  expect(qos: 1 | 2, packetId: number): Pending {
    const pending: Pending = { qos, packetId, reason: null, reasonString: undefined }
    this.#waiting.push(pending)
    return pending
  }

  settle(pending: Pending, reason: number, reasonString?: string): void {
    pending.reason = reason
    pending.reasonString = reasonString
    for (let first = this.#waiting[0]; first !== undefined && isKnown(first); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#give(first)
    }
  }
}

const isKnown = (pending: Pending): pending is Pending & { reason: number } => pending.reason !== null
