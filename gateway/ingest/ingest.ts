import type { Bytes, Lane, LineBuffer, Millis, Offset, StopAcceptingError } from '../../sync/contract/index.ts'
import { encodeDeadLetter, encodeLine, type Reading, type ThresholdEvent } from '../../sync/contract/index.ts'
import type { Acceptor, Batch, Done, Publish, PublishSpan, Verdict } from './acceptor.ts'
import { Admission, type AdmissionSettings } from './admission.ts'
import {
  type DecodeLimits,
  type DecodeProblem,
  type DecodeResult,
  decodePayload,
  heed,
  tooOld,
  unknownTopic,
} from './decode/index.ts'
import { PlainReadings } from './plain/index.ts'
import type { Durability, TopicMap, TopicMatch } from './topics/index.ts'
import type { Unreleased } from './unreleased.ts'
import { viewOf } from './words.ts'

/** The durable side of ingest. */
export interface Journal {
  readonly accepting: boolean
  refusal(): StopAcceptingError
  append(lane: Lane, line: string): Offset
  /** Where the next record of a lane is to be written, newline included; it is there once `appendReserved` is called. */
  reserve(lane: Lane, most: Bytes): LineBuffer
  appendReserved(lane: Lane): Offset
  /** Tells commits apart: what is appended while it is the same becomes durable together. */
  readonly commit: symbol
  /**
   * @param durability how durable; as is configured for the gateway unless said
   * @param publishes how many are answered by that, asked when they are; 1 unless said
   */
  whenDurable(callback: (error: Error | null) => void, durability?: Durability, publishes?: () => number): void
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
  /** Readings older than their message may be: they are in the dead letters. */
  | 'stale'
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
  count(counter: IngestCounter, by?: number): void
}

const STORED: Verdict = Object.freeze({ outcome: 'stored', problem: null })
const LOCAL: Verdict = Object.freeze({ outcome: 'local', problem: null })
const SHED: Verdict = Object.freeze({ outcome: 'shed', problem: null })
const REFUSED: Verdict = Object.freeze({ outcome: 'refused', problem: null })

type PayloadSpan = Pick<PublishSpan, 'data' | 'view' | 'payloadStart' | 'end' | 'dup'>

/** What a sender's plain publishes are gathered in. */
class OpenBatch implements Batch {
  readonly commit: symbol
  readonly durability: Durability | undefined
  publishes = 0
  bytes: Bytes = 0
  readonly packetIds: number[] = []

  constructor(commit: symbol, durability: Durability | undefined) {
    this.commit = commit
    this.durability = durability
  }
}

/**
 * The way of a publish: topic -> payload -> readings -> no repeats -> events -> one commit -> acknowledgement.
 *
 * Everything up to the commit happens at once, in arrival order; acknowledgements fire in the same order when the commit
 * is durable. A repeat waits for that too: the reading that it repeats may be in the commit that is under way.
 */
export class Ingest implements Acceptor {
  readonly #parts: IngestParts
  readonly #admission: Admission
  readonly #plain = new PlainReadings()
  /** What arrived while nothing could be taken in, in order; null: it only waits for its turn. */
  readonly #queue: { publish: Publish | null; done: Done }[] = []

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
      done(null, SHED)
    } else if (this.#admission.closed || this.#queue.length > 0) this.#queue.push({ publish, done })
    else this.#take(publish, done)
  }

  inTurn(done: Done): void {
    if (this.#queue.length > 0) this.#queue.push({ publish: null, done })
    else this.#takeTurn(done)
  }

  acceptPlain(
    publish: PublishSpan,
    received: Millis,
    open: Batch | null,
    settled: (batch: Batch, error: Error | null) => void,
  ): Batch | null {
    const { topics, journal } = this.#parts
    const admission = this.#admission
    if (admission.closed || this.#queue.length > 0 || !journal.accepting) return null
    if (publish.qos === 0 && admission.overloaded) return null
    const match = topics.lookup(publish.topic)
    if (match === null || match === 'local') return null
    const { payloadStart, end, packetId } = publish
    if (!this.#storePlain(match, publish, received)) return null
    const { durability } = match
    let batch = open instanceof OpenBatch ? open : null
    if (batch === null || batch.commit !== journal.commit || batch.durability !== durability)
      batch = this.#openBatch(durability, settled)
    const bytes = end - payloadStart
    admission.enter(bytes)
    batch.publishes++
    batch.bytes += bytes
    if (packetId !== 0) batch.packetIds.push(packetId)
    return batch
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
      this.#takeTurn((error) => done(error, LOCAL))
      return
    }
    if (!journal.accepting) {
      count('refused')
      done(journal.refusal(), REFUSED)
      return
    }
    count('publishes')
    const verdict = this.#store(match, publish)
    this.#whenDurable(publish.payload.length, match?.durability, (error) => {
      if (error) count('refused')
      if (error) done(error)
      else done(null, verdict)
    })
  }

  /** Nothing to store, but a client's acknowledgements keep their order (MQTT-4.6.0-2). */
  #takeTurn(done: Done): void {
    if (this.#admission.idle) done(null)
    else this.#whenDurable(0, undefined, done)
  }

  #whenDurable(bytes: Bytes, durability: Durability | undefined, callback: (error: Error | null) => void): void {
    this.#admission.enter(bytes)
    this.#parts.journal.whenDurable((error) => {
      this.#admission.leave(bytes)
      callback(error)
      if (this.#queue.length > 0) this.#drain()
    }, durability)
  }

  #openBatch(durability: Durability | undefined, settled: (batch: Batch, error: Error | null) => void): OpenBatch {
    const { journal, count } = this.#parts
    const batch = new OpenBatch(journal.commit, durability)
    journal.whenDurable(
      (error) => {
        const { publishes, bytes } = batch
        this.#admission.leave(bytes, publishes)
        count('publishes', publishes)
        count('readings', publishes)
        if (error) count('refused', publishes)
        settled(batch, error)
        if (this.#queue.length > 0) this.#drain()
      },
      durability,
      () => batch.publishes,
    )
    return batch
  }

  /** One by one: what `done` lets in meanwhile stands behind those that wait. */
  #drain(): void {
    while (!this.#admission.closed) {
      const next = this.#queue.shift()
      if (!next) return
      if (next.publish === null) this.#takeTurn(next.done)
      else this.#take(next.publish, next.done)
    }
  }

  #store(match: TopicMatch | null, publish: Publish): Verdict {
    const { unreleased, count } = this.#parts
    const { clientId, messageId, payload, qos, dup, received, said } = publish
    // A will has no packet identifier: nobody repeats it, and nobody would release it.
    if (qos === 2 && messageId !== 0) {
      if (unreleased.has(clientId, messageId)) {
        count('repeats')
        return STORED
      }
      unreleased.add(clientId, messageId, received)
    }
    if (match === null) return this.#keepDeadLetter(publish, unknownTopic(publish.topic), false)
    if (said === undefined && publish.offered !== true) {
      const span = { data: payload, view: viewOf(payload), payloadStart: 0, end: payload.length, dup }
      if (this.#storePlain(match, span, received)) {
        count('readings')
        return STORED
      }
    }
    const heeded = said === undefined ? match : heed(match, said)
    if ('code' in heeded) return this.#keepDeadLetter(publish, heeded, false)
    const { readings, problem } = this.#decode(heeded, publish)
    const oldest = said?.expiry == null ? Number.NEGATIVE_INFINITY : received - said.expiry
    let stale: Reading | null = null
    let stored = false
    for (const reading of readings) {
      if (this.#storeReading(reading, heeded, dup, oldest)) stored = true
      else stale ??= reading
    }
    const fault = problem ?? (stale === null ? null : tooOld(stale, received, said?.expiry ?? 0))
    return fault === null ? STORED : this.#keepDeadLetter(publish, fault, stored)
  }

  /** @returns false when it is not one plain, new reading: nothing was done */
  #storePlain(match: TopicMatch, { data, view, payloadStart, end, dup }: PayloadSpan, received: Millis): boolean {
    const { machine, journal, clock, limits, heard } = this.#parts
    if (clock.listening || end - payloadStart > limits.maxPayload) return false
    const plain = this.#plain
    const reading = plain.read(match, data, view, payloadStart, end, received, limits)
    if (reading === null || machine.isRepeat(reading, dup)) return false
    const life = machine.lifeOf(reading)
    if (life > 1) reading.life = life
    plain.write(match, reading, life, journal.reserve('readings', plain.room(match)))
    const offset = journal.appendReserved('readings')
    heard(reading)
    this.#tell(machine.apply(reading, offset))
    return true
  }

  #tell(events: readonly ThresholdEvent[]): void {
    const { journal, count } = this.#parts
    for (const event of events) {
      journal.append('events', JSON.stringify(event))
      count('events')
    }
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

  /**
   * @param oldest readings of before are too old
   * @returns false when it is; a repeat is none: what it repeats was taken in time
   */
  #storeReading(reading: Reading, match: TopicMatch, dup: boolean, oldest: Millis): boolean {
    const { machine, journal, heard, count } = this.#parts
    if (machine.isRepeat(reading, dup)) {
      count('repeats')
      return true
    }
    if (reading.time !== undefined && reading.time < oldest) {
      count('stale')
      return false
    }
    // Written down with it: other gateways hear of it later, and in another order.
    const life = machine.lifeOf(reading)
    if (life > 1) reading.life = life
    const offset = journal.append('readings', encodeLine(reading, match.line))
    count('readings')
    heard(reading)
    this.#tell(machine.apply(reading, offset))
    return true
  }

  /** @param stored whether something of it is stored all the same */
  #keepDeadLetter(publish: Publish, problem: DecodeProblem, stored: boolean): Verdict {
    const { topic, clientId, payload, received } = publish
    this.#parts.count('deadLetters')
    const letter = { ...problem, topic, client: clientId, received, payload: payload.toString('base64') }
    this.#parts.journal.append('deadletters', encodeDeadLetter(letter))
    return { outcome: stored ? 'stored' : 'dead letter', problem }
  }
}
