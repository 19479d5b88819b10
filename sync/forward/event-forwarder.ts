import {
  DeadLetterError,
  decodeEvent,
  HEADERS,
  type Millis,
  type Offset,
  RetryableError,
  type StreamSequence,
  type ThresholdEvent,
} from '../contract/index.ts'
import { type CentralSession, type ChainMessage, type OutgoingMessage, WrongLastSequenceError } from '../link/index.ts'
import { type Clock, pause } from '../runtime/index.ts'
import type { Attempts } from './attempts.ts'
import { ceTime, ceType, type EventOrigin, encodeEvent } from './event-message.ts'
import type { ForwardEvents } from './events.ts'
import { AUDIT_EVERY } from './pack-forwarder.ts'
import { forgotten } from './position.ts'
import type { LaneSource } from './source.ts'
import { type Told, Trail, tells, toldBy } from './told.ts'
import { growth } from './wait.ts'

interface Tools {
  source: LaneSource
  origin: Omit<EventOrigin, 'epoch'>
  stream: string
  ackTimeout: Millis
  clock: Clock
  events: ForwardEvents
  overtaken?: Overtaken | undefined
  /** Other gateways tell of the same alarms. */
  shared: boolean
}

/**
 * The chain has another event under the number of ours: a gateway that knew nothing of this one has decided otherwise. Ours is
 * not told any more.
 *
 * @param end what the chain ends with, in the same series of transitions
 */
export type Overtaken = (event: ThresholdEvent, end: ThresholdEvent) => void

/** Where one alarm's chain ends; null when it is empty. */
type ChainEnd = Told | null

/** One event, ready for its chain. */
interface Link {
  message: OutgoingMessage
  event: ThresholdEvent
  offset: Offset
}

/** Sequences that the stream has given out to us: none of them may come again. */
interface Given {
  /** All up to here, */
  upTo: StreamSequence
  /** and these since. */
  since: Set<StreamSequence>
}

const BATCH_BYTES = 64 * 1024
const CHAINS_IN_FLIGHT = 32
const REMEMBERED_CHAINS = 10_000
/** How long, and how often, a transition waits for the one before it that another gateway has to tell. */
const PREDECESSOR_WAIT: Millis = 250
const PREDECESSOR_WAITS = 24

/**
 * Forwards the events lane: each event is one message on its alarm's own chain, where transition n can only follow what the
 * chain ends with. Alarms do not wait for each other, the transitions of one alarm do.
 *
 * Whether an event is already there is never remembered, it is read: a chain that ends with this transition or a later
 * one of the same series has it. A chain that ends with another series (one of the two gateways knew nothing of the other, or lost
 * what it knew) is searched as a whole.
 */
export class EventForwarder {
  readonly #tools: Tools
  readonly #chains = new Map<string, ChainEnd>()

  /** Events before this offset are sent again after the centre forgot some. */
  #againBefore: Offset = 0
  /** Events before this offset were in the stream once, and compared with what the chain has then. */
  #toldBefore: Offset = 0

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** Runs until `signal` aborts. `drained` is called once everything that was pending at the start is in the stream. */
  async run(session: CentralSession, attempts: Attempts, signal: AbortSignal, drained: () => void): Promise<void> {
    const { source, events, clock } = this.#tools
    this.#chains.clear()
    const pendingUntil = source.head
    let checked = false
    while (!signal.aborted) {
      try {
        if (source.cursor.next >= pendingUntil) drained()
        if (!checked) await this.#rewindIfForgotten(session)
        checked = true
        if (source.cursor.next >= source.head) {
          checked = await growth(source, source.cursor.next, clock, AUDIT_EVERY, signal)
          continue
        }
        await this.#forwardSome(session, attempts, signal)
      } catch (error) {
        if (signal.aborted) return
        this.#chains.clear()
        if (error instanceof ForgottenError) {
          this.#sendAgain()
          continue
        }
        checked = false
        events.troubled(source.lane, error)
        await attempts.failed(error, signal)
      }
    }
  }

  /** Goes back to the oldest event that is retained; those that the stream still has are recognised by their chains. */
  #sendAgain(): void {
    const { source, events } = this.#tools
    const { cursor } = source
    const next = Math.min(cursor.next, source.tail)
    this.#toldBefore = Math.max(this.#toldBefore, cursor.next)
    this.#againBefore = source.head
    events.rewound(source.lane, next, 'behind')
    source.moveCursor({ ...cursor, next, sequence: 0 })
  }

  async #rewindIfForgotten(session: CentralSession): Promise<void> {
    const { source, stream, ackTimeout, events } = this.#tools
    const facts = await session.facts(stream, ackTimeout)
    const { cursor } = source
    const why = forgotten(facts, cursor)
    if (why !== null) {
      const next = Math.min(cursor.next, source.tail)
      events.rewound(source.lane, next, why)
      this.#toldBefore = Math.max(this.#toldBefore, cursor.next)
      source.moveCursor({ next, sequence: 0, streamCreated: facts.created })
      this.#chains.clear()
    } else if (cursor.streamCreated === null) source.moveCursor({ ...cursor, streamCreated: facts.created })
  }

  async #forwardSome(session: CentralSession, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { source, events, clock, origin } = this.#tools
    const slice = await source.read(source.cursor.next, BATCH_BYTES)
    const chains = new Map<string, Link[]>()
    const lines = slice.body.toString('utf8').split('\n')
    lines.pop()
    let offset: Offset = slice.from
    for (const line of lines) {
      while (slice.gaps.some((gap) => gap.from <= offset && offset <= gap.to)) offset++
      const link = encodeLink(line, offset++, { ...origin, epoch: source.epoch }, (error) =>
        events.troubled(source.lane, error),
      )
      if (!link) continue
      const chain = chains.get(link.message.subject)
      if (chain) chain.push(link)
      else chains.set(link.message.subject, [link])
    }
    const started = clock.monotonic()
    const before = source.cursor.sequence
    const given: Given = { upTo: before, since: new Set() }
    let last = before
    const queue = [...chains.values()]
    const worker = async (): Promise<void> => {
      try {
        for (let chain = queue.pop(); chain && !signal.aborted; chain = queue.pop()) {
          const comparing: Comparing = { trail: null }
          for (const link of chain) {
            const sequence = await this.#append(session, link, given, comparing)
            // Only now: other workers may have moved it meanwhile.
            last = Math.max(last, sequence)
            attempts.succeeded()
          }
        }
      } finally {
        // Whatever ended this worker ends the others after the event that they are at.
        queue.length = 0
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: CHAINS_IN_FLIGHT }, worker))
    if (signal.aborted) return
    for (const ended of workers) if (ended.status === 'rejected') throw ended.reason
    source.moveCursor({ next: slice.next, sequence: last, streamCreated: source.cursor.streamCreated })
    events.stored(source.lane, slice.count, slice.body.length, clock.monotonic() - started)
    for (const gap of slice.gaps) events.declared(source.lane, gap)
  }

  /**
   * Appends unless the chain already has it; returns the sequence of the chain's end.
   *
   * @throws ForgottenError when the stream gives out a sequence again, or the chain lacks the transition before
   */
  async #append(session: CentralSession, link: Link, given: Given, comparing: Comparing): Promise<StreamSequence> {
    const { clock, source, shared } = this.#tools
    const { message, event, offset } = link
    const { since, transition } = event
    let waited = 0
    for (;;) {
      const cached = this.#chains.get(message.subject)
      const end = cached === undefined ? await this.#readEnd(session, message.subject) : cached
      const known = endsWithSeries(end, since) ? (end?.transition ?? 0) : await this.#searchChain(session, link)
      if (end && known >= transition) {
        // What is behind the cursor was stored after it, unless the stream gives out sequences again. (Others may have told it before, or we
        // have told something else under this number; and what comes again was stored in between.)
        const isOurs = end.epoch === source.epoch && end.offset >= offset && offset >= this.#againBefore
        if (end.sequence <= given.upTo && isOurs) throw new ForgottenError(message.subject)
        if (end.since === since) await this.#compare(session, link, end, comparing)
        return end.sequence
      }
      if (known < transition - 1 && offset >= this.#againBefore) {
        // Another gateway may have decided it, and be about to tell.
        if (shared && waited++ < PREDECESSOR_WAITS) {
          this.#chains.delete(message.subject)
          await pause(clock, PREDECESSOR_WAIT)
          continue
        }
        // What comes again may have predecessors that are no longer retained.
        throw new ForgottenError(message.subject)
      }
      try {
        const previous = end?.sequence ?? 0
        const sequence = await session.append(message, previous, this.#tools.ackTimeout)
        const [type, time] = [ceType(event), ceTime(event)]
        const { epoch } = source
        this.#remember(message.subject, { sequence, previous, since, transition, type, time, epoch, offset })
        if (sequence <= given.upTo || given.since.has(sequence)) throw new ForgottenError(message.subject)
        given.since.add(sequence)
        return sequence
      } catch (error) {
        if (!(error instanceof WrongLastSequenceError)) throw error
        this.#chains.delete(message.subject)
        await pause(clock, 1)
      }
    }
  }

  /** Says so if the chain has another event under this number. Costs nothing where the chain ends with this very event. */
  async #compare(session: CentralSession, link: Link, end: Told, comparing: Comparing): Promise<void> {
    const { stream, ackTimeout, overtaken } = this.#tools
    const { message, event, offset } = link
    if (!overtaken || offset < this.#toldBefore) return
    if (comparing.trail?.end !== end) comparing.trail = new Trail(session, stream, message.subject, end, ackTimeout)
    const told = await comparing.trail.find(event.transition)
    // What retention took cannot be compared any more.
    if (!told || tells(told, event)) return
    const newest = await session.head(stream, message.subject, ackTimeout)
    const became = newest && eventIn(newest)
    if (became?.since === event.since) overtaken(event, became)
  }

  /** The newest transition of the link's series in a chain that ends with another one. Rare, so it may look at all of it. */
  async #searchChain(session: CentralSession, { message, event }: Link): Promise<number> {
    const { stream, ackTimeout } = this.#tools
    let newest = 0
    for (let from = 1; ; ) {
      const found = await session.nextFrom(stream, message.subject, from, ackTimeout)
      if (found === null) return newest
      if (Number(found.headers.get(HEADERS.since)) === event.since)
        newest = Math.max(newest, Number(found.headers.get(HEADERS.transition)))
      from = found.sequence + 1
    }
  }

  async #readEnd(session: CentralSession, subject: string): Promise<ChainEnd> {
    const head = await session.head(this.#tools.stream, subject, this.#tools.ackTimeout)
    const end = head && toldBy(head)
    this.#remember(subject, end)
    return end
  }

  #remember(subject: string, end: ChainEnd): void {
    this.#chains.delete(subject)
    this.#chains.set(subject, end)
    if (this.#chains.size <= REMEMBERED_CHAINS) return
    for (const oldest of this.#chains.keys()) return void this.#chains.delete(oldest)
  }
}

/** An empty chain ends with nothing of any series. */
const endsWithSeries = (end: ChainEnd, since: Millis): boolean => end === null || end.since === since

/** What the links of one chain share while they are compared with it. */
interface Comparing {
  trail: Trail | null
}

/** Null when it is of nobody. */
function eventIn({ body }: ChainMessage): ThresholdEvent | null {
  try {
    return decodeEvent(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  } catch (error) {
    if (error instanceof DeadLetterError) return null
    throw error
  }
}

/** The stream has fewer events than it acknowledged. */
class ForgottenError extends RetryableError {
  constructor(subject: string) {
    super('EVENTS_FORGOTTEN', `'${subject}' lacks events that the centre had acknowledged`)
  }
}

/** One that cannot be made a message never can be: it must not hold up those behind it. */
function encodeLink(line: string, offset: Offset, origin: EventOrigin, failed: (error: unknown) => void): Link | null {
  try {
    const event = JSON.parse(line) as ThresholdEvent
    return { message: encodeEvent(event, offset, origin), event, offset }
  } catch (error) {
    failed(error)
    return null
  }
}
