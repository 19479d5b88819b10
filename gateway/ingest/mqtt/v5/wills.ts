import type { Millis } from '../../../../sync/contract/index.ts'
import type { Clock } from '../../../../sync/runtime/index.ts'
import type { Acceptor, Publish } from '../../acceptor.ts'
import type { LocalBroker } from '../local-broker.ts'
import type { MqttCounters } from '../observation.ts'
import { isReserved, type PublishGate } from '../publish-gate.ts'
import type { Will } from './connect.ts'
import { carriedOf } from './message.ts'
import { saidOf } from './said.ts'

export interface WillsParts {
  acceptor: Acceptor
  clock: Clock
  gate: PublishGate
  local: Pick<LocalBroker, 'distribute'>
  counters: MqttCounters
  /** Wills that may wait for their delay at a time; one more than that, and it is published at once. */
  most: number
}

interface Waiting {
  readonly will: Will
  readonly stop: () => void
}

/** Publishes wills of clients of MQTT 5, at once or after the delay that they ask for (§3.1.3.2.2). */
export class Wills {
  readonly #parts: WillsParts
  readonly #waiting = new Map<string, Waiting>()

  constructor(parts: WillsParts) {
    this.#parts = parts
  }

  /** The client is gone, and its will is to be published unless it comes back within `delay`. */
  add(clientId: string, will: Will, delay: Millis): void {
    this.publishNow(clientId)
    if (delay === 0 || this.#waiting.size >= this.#parts.most) {
      this.#publish(clientId, will)
      return
    }
    const stop = this.#parts.clock.after(delay, () => this.publishNow(clientId))
    this.#waiting.set(clientId, { will, stop })
  }

  /** The client has come back to its session in time. */
  cancel(clientId: string): void {
    this.#waiting.get(clientId)?.stop()
    this.#waiting.delete(clientId)
  }

  /** Its session has ended: there is nothing to wait for (MQTT-3.1.3-9). */
  publishNow(clientId: string): void {
    const waiting = this.#waiting.get(clientId)
    if (waiting === undefined) return
    this.cancel(clientId)
    this.#publish(clientId, waiting.will)
  }

  #publish(clientId: string, { topic, payload, qos, retain, properties }: Will): void {
    const { acceptor, clock, gate, local, counters } = this.#parts
    if (isReserved(topic)) {
      gate.countReserved()
      return
    }
    const received = clock.now()
    const publish: Publish = { clientId, topic, payload, qos, dup: false, messageId: 0, received }
    const said = saidOf(properties)
    if (said !== null) publish.said = said
    gate.enter()
    acceptor.accept(publish, (error) => {
      if (error !== null) gate.refused(error, true)
      else {
        counters.increment('wills.accepted')
        local.distribute(topic, payload, qos, { retain, from: clientId, carried: carriedOf(properties, received) })
      }
      gate.leave()
    })
  }
}
