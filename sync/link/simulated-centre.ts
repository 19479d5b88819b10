import type { Millis, StreamSequence } from '../contract/index.ts'
import { RetryableError } from '../contract/index.ts'
import { type Clock, pause, type Random } from '../runtime/index.ts'
import {
  type CentralDialer,
  type CentralSession,
  type ChainMessage,
  type OutgoingMessage,
  PREVIOUS,
  type StreamFacts,
  type StreamPlan,
} from './central.ts'
import { StreamMissingError, UnknownOutcomeError, WrongLastSequenceError } from './errors.ts'

interface StoredMessage {
  sequence: StreamSequence
  subject: string
  headers: ReadonlyMap<string, string>
  body: Buffer
}

interface Stream {
  created: string
  plan: StreamPlan
  messages: StoredMessage[]
  lastSequence: StreamSequence
}

/** How badly the link behaves; all probabilities from 0 to 1, drawn for each call. */
export interface LinkFaults {
  /** The call never reaches the centre. */
  loseRequest: number
  /** It does, and its effect stands, but the answer is lost. */
  loseAnswer: number
  /** The connection dies after the call. */
  disconnect: number
  /** A read answers from a replica that is one message behind. */
  staleRead: number
  /** The call reaches the centre only after whoever made it has given up waiting. */
  late?: number
}

export const NO_FAULTS: LinkFaults = { loseRequest: 0, loseAnswer: 0, disconnect: 0, staleRead: 0 }

/** How late is late: a message that waited in a buffer of a network that came back. */
const LATE: Millis = 3000

/**
 * JetStream as far as a gateway uses it, in memory, with the failures of a real one: lost requests and answers, dead
 * connections, stale replicas, and a centre that forgets. Deterministic for a given clock and randomness.
 */
export class SimulatedCentre implements CentralDialer {
  readonly #clock: Clock
  readonly #random: Random
  readonly #streams = new Map<string, Stream>()
  readonly #sessions = new Map<SimulatedSession, string>()
  /** Names that cannot dial. */
  readonly #cutOff = new Set<string>()
  #incarnation = 0
  reachable = true
  faults: LinkFaults = NO_FAULTS
  /** Time between a call and its effect, and between its effect and the answer. */
  latency: Millis = 1
  maxPayload = 1024 * 1024

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  dial(signal: AbortSignal): Promise<CentralSession> {
    return this.#dial('', signal)
  }

  /** The centre as one of several sees it, whose connections can be cut alone. */
  from(name: string): CentralDialer {
    return { dial: (signal) => this.#dial(name, signal) }
  }

  /** Ends every connection and refuses new ones; of one that dials under a name if it is given. */
  cut(name?: string): void {
    if (name === undefined) this.reachable = false
    else this.#cutOff.add(name)
    for (const [session, from] of [...this.#sessions]) if (name === undefined || from === name) session.die()
  }

  heal(name?: string): void {
    if (name === undefined) this.reachable = true
    else this.#cutOff.delete(name)
  }

  async #dial(name: string, signal: AbortSignal): Promise<CentralSession> {
    await pause(this.#clock, this.latency, signal)
    if (!this.reachable || this.#cutOff.has(name) || signal.aborted)
      throw new RetryableError('LINK_DIAL_FAILED', 'the centre cannot be reached')
    const session = new SimulatedSession(this, () => this.#sessions.delete(session))
    this.#sessions.set(session, name)
    return session
  }

  /** A stream's messages in order. */
  messages(stream: string): readonly Readonly<StoredMessage>[] {
    return this.#streams.get(stream)?.messages ?? []
  }

  /** Forgets the newest messages of a stream, as after a power cut with lazy fsync, or a restored backup. */
  forget(stream: string, count: number): void {
    const found = this.#streams.get(stream)
    if (!found) return
    found.messages.splice(Math.max(0, found.messages.length - count))
    found.lastSequence = found.messages.at(-1)?.sequence ?? 0
  }

  /** Deletes a stream; it is made anew when it is provisioned again. */
  wipe(stream: string): void {
    this.#streams.delete(stream)
  }

  /** Removes the oldest messages, as retention does. */
  expire(stream: string, count: number): void {
    this.#streams.get(stream)?.messages.splice(0, count)
  }

  /** Carries out one call of a session, with the faults of the day. */
  async carry<T>(session: SimulatedSession, what: string, effect: () => T): Promise<T> {
    const { loseRequest, loseAnswer, disconnect, late = 0 } = this.faults
    const delayed = late > 0 && this.#random.next() < late
    const lost = this.#random.next() < loseRequest
    const unanswered = this.#random.next() < loseAnswer
    const dying = this.#random.next() < disconnect
    await pause(this.#clock, this.latency)
    if (delayed) {
      this.#clock.after(this.#random.next() * LATE, () => attempt(effect))
      throw new UnknownOutcomeError(what)
    }
    if (session.dead || lost) throw new UnknownOutcomeError(what)
    let result: T
    try {
      result = effect()
    } finally {
      await pause(this.#clock, this.latency)
      if (dying) session.die()
    }
    if (session.dead || unanswered) throw new UnknownOutcomeError(what)
    return result
  }

  append(message: OutgoingMessage, expected: StreamSequence | null): StreamSequence {
    const stream = this.#stream(message.stream)
    const { subject } = message
    const last = stream.messages.findLast((stored) => stored.subject === subject)?.sequence ?? 0
    if (expected !== null && expected !== last) throw new WrongLastSequenceError(subject, expected, last)
    const sequence = ++stream.lastSequence
    const headers = new Map(message.headers)
    if (expected !== null) headers.set(PREVIOUS, String(expected))
    stream.messages.push({ sequence, subject, headers, body: Buffer.from(message.body) })
    return sequence
  }

  head(name: string, subject: string): ChainMessage | null {
    const all = this.#stream(name).messages.filter((stored) => stored.subject === subject)
    const lag = this.#random.next() < this.faults.staleRead ? 2 : 1
    return all.at(-lag) ?? null
  }

  nextFrom(name: string, subject: string, from: StreamSequence): ChainMessage | null {
    const all = this.#stream(name).messages.filter((stored) => stored.subject === subject)
    if (this.#random.next() < this.faults.staleRead) all.pop()
    return all.find((stored) => stored.sequence >= from) ?? null
  }

  facts(name: string): StreamFacts {
    const { created, messages, lastSequence } = this.#stream(name)
    const firstSequence = messages[0]?.sequence ?? lastSequence + 1
    return { created, firstSequence, lastSequence, at: this.#clock.now() }
  }

  provision(plan: StreamPlan): void {
    if (this.#streams.has(plan.name)) return
    const created = new Date(this.#incarnation++).toISOString()
    this.#streams.set(plan.name, { created, plan, messages: [], lastSequence: 0 })
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name)
    if (!stream) throw new StreamMissingError(name)
    return stream
  }
}

class SimulatedSession implements CentralSession {
  readonly closed: Promise<Error | null>
  readonly #centre: SimulatedCentre
  readonly #left: () => void
  #resolveClosed: (error: Error | null) => void = () => {}
  dead = false

  constructor(centre: SimulatedCentre, left: () => void) {
    this.#centre = centre
    this.#left = left
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  get maxPayload(): number {
    return this.#centre.maxPayload
  }

  append(message: OutgoingMessage, expected: StreamSequence | null): Promise<StreamSequence> {
    return this.#centre.carry(this, message.subject, () => this.#centre.append(message, expected))
  }

  head(stream: string, subject: string): Promise<ChainMessage | null> {
    return this.#centre.carry(this, subject, () => this.#centre.head(stream, subject))
  }

  nextFrom(stream: string, subject: string, from: StreamSequence): Promise<ChainMessage | null> {
    return this.#centre.carry(this, subject, () => this.#centre.nextFrom(stream, subject, from))
  }

  facts(stream: string): Promise<StreamFacts> {
    return this.#centre.carry(this, stream, () => this.#centre.facts(stream))
  }

  provision(plan: StreamPlan): Promise<void> {
    return this.#centre.carry(this, plan.name, () => this.#centre.provision(plan))
  }

  die(): void {
    if (this.dead) return
    this.dead = true
    this.#left()
    this.#resolveClosed(new Error('the connection died'))
  }

  async close(): Promise<void> {
    this.die()
  }
}

/** Nobody waits for the outcome any more. */
function attempt(effect: () => unknown): void {
  try {
    effect()
  } catch {
    // Refused: the same as if it had been lost.
  }
}
