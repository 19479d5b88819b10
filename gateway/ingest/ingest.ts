import type { Lane, Millis, Offset, StopAcceptingError } from '../../sync/contract/index.ts'
import { encodeDeadLetter, encodeLine, type Reading, type ThresholdEvent } from '../../sync/contract/index.ts'
import type { Acceptor, Publish } from './acceptor.ts'
import { Admission, type AdmissionSettings } from './admission.ts'
import {
  type DecodeLimits,
  type DecodeProblem,
  type DecodeResult,
  decodePayload,
  unknownTopic,
} from './decode/index.ts'
import type { Durability, TopicMap, TopicMatch } from './topics/index.ts'
import type { Unreleased } from './unreleased.ts'

/** The durable side of ingest. */
export interface Journal {
  readonly accepting: boolean
  refusal(): StopAcceptingError
  append(lane: Lane, line: string): Offset
  /** @param durability how durable; as is configured for the gateway unless said */
  whenDurable(callback: (error: Error | null) => void, durability?: Durability): void
}

/** The deterministic side of ingest. */
export interface Machine {
  isRepeat(reading: Reading, dup: boolean): boolean
  lifeOf(reading: Reading): number
  apply(reading: Reading, offset: Offset): readonly ThresholdEvent[]
}

/** What is counted; all since the process started. */
export type IngestCounter =
  /** Publishes taken in. */
  | 'publishes'
  /** Readings made durable for the first time. */
  | 'readings'
  /** Readings, or whole QoS 2 publishes, that were there already. */
  | 'repeats'
  /** Events decided. */
  | 'events'
  /** Publishes of which something went to the dead letters. */
  | 'deadLetters'
  /** QoS 0 publishes dropped under load. */
  | 'shed'
  /** Publishes not acknowledged because the outbox takes nothing. */
  | 'refused'
  /** Readings taken although they are too far ahead of this gateway's clock, which is behind. */
  | 'aheadOfClock'

/** What is known of the own clock; see `ClockWatch`. */
export interface ClockOpinion {
  readonly maxFuture: Millis
  readonly listening: boolean
  refused(device: string): boolean
  heard(device: string, time: Millis, received: Millis): void
}

export interface IngestParts {
  topics: TopicMap
  limits: DecodeLimits
  clock: ClockOpinion
  admission: AdmissionSettings
  machine: Machine
  journal: Journal
  unreleased: Unreleased
  /** Called for every new reading, before it is durable. */
  heard(reading: Reading): void
  count(counter: IngestCounter): void
}

type Done = (error: Error | null) => void

/**
 * The way of a publish: topic -> payload -> readings -> no repeats -> events -> one commit -> acknowledgement.
 *
 * Everything up to the commit happens at once, in arrival order; acknowledgements fire in the same order when the commit
 * is durable. A repeat waits for that too: the reading that it repeats may be in the commit that is under way.
 */
export class Ingest implements Acceptor {
  readonly #parts: IngestParts
  readonly #admission: Admission
  /** Publishes that arrived while nothing could be taken in, in order. */
  readonly #queue: { publish: Publish; done: Done }[] = []

  constructor(parts: IngestParts) {
    this.#parts = parts
    this.#admission = new Admission(parts.admission)
  }

  get overloaded(): boolean {
    return this.#admission.overloaded
  }

  accept(publish: Publish, done: Done): void {
    if (publish.qos === 0 && this.#admission.overloaded) {
      this.#parts.count('shed')
      done(null)
    } else if (this.#admission.closed || this.#queue.length > 0) this.#queue.push({ publish, done })
    else this.#take(publish, done)
  }

  released(clientId: string, messageId: number | null): Promise<void> {
    const { unreleased, journal } = this.#parts
    unreleased.release(clientId, messageId)
    return new Promise((resolve, reject) => journal.whenDurable((error) => (error ? reject(error) : resolve())))
  }

  #take(publish: Publish, done: Done): void {
    const { topics, journal, count } = this.#parts
    const match = topics.lookup(publish.topic)
    if (match === 'local') {
      // Nothing to store, but a client's acknowledgements keep their order.
      if (this.#admission.idle) done(null)
      else journal.whenDurable(done)
      return
    }
    if (!journal.accepting) {
      count('refused')
      done(journal.refusal())
      return
    }
    count('publishes')
    this.#store(match, publish)
    const bytes = publish.payload.length
    this.#admission.enter(bytes)
    journal.whenDurable((error) => {
      this.#admission.leave(bytes)
      if (error) count('refused')
      done(error)
      if (this.#queue.length > 0) this.#drain()
    }, match?.durability)
  }

  /** One by one: what `done` lets in meanwhile stands behind those that wait. */
  #drain(): void {
    while (!this.#admission.closed) {
      const next = this.#queue.shift()
      if (!next) return
      this.#take(next.publish, next.done)
    }
  }

  #store(match: TopicMatch | null, publish: Publish): void {
    const { unreleased, count } = this.#parts
    const { clientId, messageId, qos, received } = publish
    // A will has no packet identifier: nobody repeats it, and nobody would release it.
    if (qos === 2 && messageId !== 0) {
      if (unreleased.has(clientId, messageId)) {
        count('repeats')
        return
      }
      unreleased.add(clientId, messageId, received)
    }
    if (match === null) {
      this.#keepDeadLetter(publish, unknownTopic(publish.topic))
      return
    }
    const { readings, problem } = this.#decode(match, publish)
    for (const reading of readings) this.#storeReading(reading, match, publish.dup)
    if (problem) this.#keepDeadLetter(publish, problem)
  }

  /** Nobody is taken for being ahead while it may be this gateway that is behind. */
  #decode(match: TopicMatch, { payload, received }: Publish): DecodeResult {
    const { limits, clock, count } = this.#parts
    const decoded = (): DecodeResult => {
      const { maxFuture } = clock
      return decodePayload(match, payload, received, maxFuture === limits.maxFuture ? limits : { ...limits, maxFuture })
    }
    let result = decoded()
    if (result.problem?.code === 'TIME_IN_FUTURE' && clock.refused(match.device)) result = decoded()
    if (!clock.listening) return result
    for (const { device, time } of result.readings) {
      if (time === undefined) continue
      clock.heard(device, time, received)
      if (time > received + limits.maxFuture) count('aheadOfClock')
    }
    return result
  }

  #storeReading(reading: Reading, match: TopicMatch, dup: boolean): void {
    const { machine, journal, heard, count } = this.#parts
    if (machine.isRepeat(reading, dup)) {
      count('repeats')
      return
    }
    // Written down with it: other gateways hear of it later, and in another order.
    const life = machine.lifeOf(reading)
    if (life > 1) reading.life = life
    const offset = journal.append('readings', encodeLine(reading, match.line))
    count('readings')
    heard(reading)
    for (const event of machine.apply(reading, offset)) {
      journal.append('events', JSON.stringify(event))
      count('events')
    }
  }

  #keepDeadLetter(publish: Publish, problem: DecodeProblem): void {
    const { topic, clientId, payload, received } = publish
    this.#parts.count('deadLetters')
    const letter = { ...problem, topic, client: clientId, received, payload: payload.toString('base64') }
    this.#parts.journal.append('deadletters', encodeDeadLetter(letter))
  }
}
