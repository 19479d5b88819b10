import {
  type Consumer,
  type JetStreamClient,
  JetStreamError,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream'
import { type Bytes, type Millis, OperatorError } from '../contract/index.ts'
import { Backoff } from '../forward/index.ts'
import { type Clock, pause, type Random } from '../runtime/index.ts'
import { type StoredMessage, storedMessage } from './batch.ts'
import { bindDurable, type DurablePlan } from './durable.ts'
import type { LinkWatch } from './link-watch.ts'
import type { Missed } from './missed.ts'
import type { Report } from './report.ts'
import { SubjectQueues } from './subject-queues.ts'

export interface SubscriptionParts {
  client: JetStreamClient
  manager: JetStreamManager
  link: LinkWatch
  plan: DurablePlan
  /** Bytes of messages held at once. */
  window: Bytes
  concurrency: number
  missed: Missed
  /** Rejects while something that the consumer cannot do without is not there. */
  ready(): Promise<void>
  /** @returns false when the message must come again */
  deliver(message: StoredMessage, redelivered: boolean): Promise<boolean>
  /** Nothing can go on: makes `signal` abort. */
  fail(error: unknown): void
  signal: AbortSignal
  clock: Clock
  random: Random
  report(report: Report): void
}

/** How long one pull request stays open at the server; a dead one is noticed after two silent heartbeats. */
const PULL_EXPIRES: Millis = 30_000
const PULL_HEARTBEAT: Millis = 5_000
const RETRY = { min: 100, max: 5_000 }
/** No message of NATS is larger. */
const MAX_MESSAGE: Bytes = 64 * 1024 * 1024
/** What a message takes beside its body, roughly. */
const MESSAGE_OVERHEAD: Bytes = 1024

/**
 * Pulls messages and has them delivered, each acknowledged when all of it is done.
 *
 *     binding --the durable is there--> pulling --pull over--> pulling ...
 *        ^                                 |
 *        +--connection lost, durable gone--+         signal, from any --> draining --> over
 *
 * While a message is held, JetStream is told that it is being worked on. `draining`: what is under way comes to its end, what
 * was not begun is given back.
 */
export class Subscription {
  readonly #parts: SubscriptionParts
  readonly #queues: SubjectQueues
  /** Messages that were received and neither acknowledged nor given back, with their sizes. */
  readonly #held = new Map<JsMsg, Bytes>()
  #heldBytes: Bytes = 0
  #pullBytes: Bytes
  /** How long JetStream waits for an answer: what the durable says, which may be older than our settings. */
  #ackWait: Millis
  #released: () => void = () => {}

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
    this.#queues = new SubjectQueues(parts.concurrency)
    this.#pullBytes = Math.ceil(parts.window / 2)
    this.#ackWait = parts.plan.ackWait
  }

  /** Runs until `signal` aborts. */
  async run(): Promise<void> {
    const { link, clock, random, signal, report, fail, plan } = this.#parts
    const over = new AbortController()
    signal.addEventListener('abort', () => this.#released(), { once: true })
    const working = this.#keepWorking(over.signal)
    const backoff = new Backoff(RETRY, random)
    while (!signal.aborted) {
      try {
        await link.whenUp(signal)
        if (signal.aborted) break
        const consumer = await this.#bind()
        while (link.up && !signal.aborted) {
          await this.#room()
          await this.#pull(consumer)
          backoff.reset()
        }
      } catch (error) {
        if (signal.aborted) break
        if (error instanceof OperatorError || link.closed) fail(error)
        else if (link.up) {
          report({ kind: 'trouble', what: `cannot read ${plan.stream}`, error })
          await pause(clock, backoff.next(), signal)
        }
      }
    }
    await this.#queues.idle()
    over.abort()
    await working
  }

  async #bind(): Promise<Consumer> {
    const { client, manager, plan, missed, ready } = this.#parts
    await ready()
    const { consumer, info, ackWait } = await bindDurable(client, manager, plan)
    this.#ackWait = ackWait
    missed.bound({
      created: info.created,
      floor: info.ack_floor.stream_seq,
      delivered: info.delivered.stream_seq,
    })
    return consumer
  }

  /** Resolves when there is room for a pull, or the consumer stops. */
  async #room(): Promise<void> {
    const { window, signal } = this.#parts
    while (this.#heldBytes > Math.max(0, window - this.#pullBytes) && !signal.aborted)
      await new Promise<void>((resolve) => {
        this.#released = resolve
      })
  }

  async #pull(consumer: Consumer): Promise<void> {
    const { link, signal } = this.#parts
    const messages = await consumer.fetch({
      max_bytes: this.#pullBytes,
      expires: PULL_EXPIRES,
      idle_heartbeat: PULL_HEARTBEAT,
    })
    const end = (): void => void messages.close()
    const forget = link.onChange(end)
    signal.addEventListener('abort', end)
    if (signal.aborted || !link.up) end()
    let received = 0
    try {
      for await (const message of messages) {
        received++
        this.#take(message)
      }
    } catch (error) {
      if (!isFull(error)) throw error
      // Not even the first one fits: ask for more, with nothing else held.
      if (received === 0) this.#pullBytes = Math.min(this.#pullBytes * 2, MAX_MESSAGE + MESSAGE_OVERHEAD)
    } finally {
      forget()
      signal.removeEventListener('abort', end)
      await messages.close()
    }
  }

  #take(message: JsMsg): void {
    const { deliver, fail, signal } = this.#parts
    const size = message.data.length + MESSAGE_OVERHEAD
    this.#held.set(message, size)
    this.#heldBytes += size
    this.#queues.push(message.subject, async () => {
      let done = false
      try {
        const stored = storedMessage(message, message.seq, () => message.headers)
        done = !signal.aborted && (await deliver(stored, message.redelivered))
      } catch (error) {
        fail(error)
      }
      this.#held.delete(message)
      this.#heldBytes -= size
      this.#answer(() => (done ? message.ack() : message.nak()))
      this.#released()
    })
  }

  async #keepWorking(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await pause(this.#parts.clock, this.#ackWait / 3, over)
      if (!over.aborted) for (const message of this.#held.keys()) this.#answer(() => message.working())
    }
  }

  /** An answer that does not get through makes the message come again, nothing worse. */
  #answer(send: () => void): void {
    try {
      send()
    } catch (error) {
      this.#parts.report({ kind: 'trouble', what: 'cannot answer JetStream', error })
    }
  }
}

/** The next message does not fit into what is left of the pull request. */
const isFull = (error: unknown): boolean =>
  error instanceof JetStreamError && /message size exceeds maxbytes/i.test(error.message)
