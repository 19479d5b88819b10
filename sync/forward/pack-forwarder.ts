import { type Bytes, HEADERS, type Millis, type Offset, type StreamSequence } from '../contract/index.ts'
import {
  type CentralSession,
  type ChainHead,
  type OutgoingMessage,
  previousOf,
  StaleReadError,
  WrongLastSequenceError,
} from '../link/index.ts'
import { type Breaker, type Clock, pause } from '../runtime/index.ts'
import type { Attempts } from './attempts.ts'
import type { Clearance } from './clearance.ts'
import { commonEnd } from './common-end.ts'
import type { ForwardEvents } from './events.ts'
import { fenceOf } from './fence.ts'
import { type NewestOwn, newestOwn } from './newest-own.ts'
import type { Pace } from './pace.ts'
import { encodePack, HEADER_ROOM, ownHead, withoutRecords } from './pack.ts'
import { PackSize, type PackSizeSettings } from './pack-size.ts'
import { PacksAhead, type PreparedPack } from './packs-ahead.ts'
import { decidePosition, forgotten, type Position } from './position.ts'
import type { LaneSlice, LaneSource } from './source.ts'
import { FIRST_TERM, type Standing } from './standing.ts'
import { growth, untilAborted } from './wait.ts'

export interface PackSettings extends PackSizeSettings {
  compress: 'none' | 'gzip' | 'auto'
  /** From one pack to the next, while there is no backlog: what comes meanwhile shares the next one. */
  linger: Millis
  ackTimeout: Millis
}

interface Tools {
  source: LaneSource
  target: { stream: string; subject: string }
  standing: Standing
  /** Whether the lane is a copy of another gateway's. */
  replica: boolean
  /** Asked before anything is sent; without one, everything may leave. */
  clearance?: Clearance | undefined
  settings: PackSettings
  clock: Clock
  pace: Pace
  breaker: Breaker
  events: ForwardEvents
}

/** With nothing to send, the chain is looked at this often: a loss must not wait for the next reading to be noticed. */
export const AUDIT_EVERY: Millis = 15_000
/** Every so many times all the way, which reads the newest message too: on an idle, metered link that adds up. */
const FULL_AUDIT = 40

/** A read that lags behind is repeated after this long, and so many times: then it does not lag, the centre has forgotten. */
const LAG: Millis = 50
const LAGS = 40

/** `auto` compresses when the link carries less than this: then the bytes cost more than the processor. */
const SLOW_LINK_BYTES_PER_MS = 4000

/** Where forwarding goes on, as far as it does. */
type Place = Extract<Position, { kind: 'continue' | 'rewind' }>

/**
 * Forwards one lane as packs on one chain; one pack is in flight.
 *
 *     locating --continue / rewind--> arbitrating --cleared--> sending --stored--> sending ...
 *        ^                                                        |
 *        +------------------ outcome unknown, or -----------------+
 *                            somebody else's message, or nothing to send for a while
 *
 * Nothing is ever assumed about a pack whose answer is missing: `locating` reads the chain and goes on from there. `arbitrating`
 * is passed over where nobody else may have copies, or nobody has written since.
 * The pack size and the speed of the link outlive a session, so one forwarder serves all sessions in turn.
 */
export class PackForwarder {
  readonly #tools: Tools
  readonly #size: PackSize
  /** Smoothed throughput of the link; null until measured. */
  #bytesPerMs: number | null = null
  /** The chain up to here was dealt with: what others have put there, and what we did ourselves. Null before the first time. */
  #dealtWith: StreamSequence | null = null
  /** No fence that counts is newer. */
  #fencedUpTo: StreamSequence = 0
  /** Reads in a row that lagged behind. */
  #lagged = 0

  constructor(tools: Tools) {
    this.#tools = tools
    this.#size = new PackSize(tools.settings)
  }

  /** Runs until `signal` aborts (session over, or stop). Never rejects: trouble is reported and retried. */
  async run(session: CentralSession, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { source, events, clock, standing } = this.#tools
    let begun = false
    while (!signal.aborted) {
      try {
        const { position, head } = await this.#locate(session)
        this.#lagged = 0
        if (position.kind === 'fenced') {
          const term = standing.outbid(position.term)
          if (term !== null) standing.term = term
          else await this.#standDown(`term ${position.term} forwards this origin`, signal)
        } else if (position.kind === 'forked') await this.#fork(session, signal)
        else {
          await this.#arbitrate(session, position, head, !begun, signal)
          begun = true
          if (!signal.aborted) await this.#send(session, position, attempts, signal)
        }
      } catch (error) {
        if (signal.aborted) return
        // Somebody's message came in between: read again at once, that is not a failure of the link.
        if (error instanceof WrongLastSequenceError) {
          await pause(clock, 1, signal)
          continue
        }
        if (error instanceof StaleReadError) {
          this.#lagged++
          await pause(clock, LAG, signal)
          continue
        }
        this.#size.failed()
        events.troubled(source.lane, error)
        await attempts.failed(error, signal)
      }
    }
  }

  async #locate(session: CentralSession): Promise<{ position: Position; head: ChainHead | null }> {
    const { source, target, standing, replica, settings, events } = this.#tools
    const { stream, subject } = target
    // In this order: a stream that forgets between the two answers is caught by the second, not missed by both.
    const head = await session.head(stream, subject, settings.ackTimeout)
    const facts = await session.facts(stream, settings.ackTimeout)
    const newest = await this.#newestOwn(session, head)
    const own = ownHead(newest.own, source.epoch)
    const { cursor } = source
    const position = decidePosition({
      cursor,
      localEnd: source.durable,
      localTail: source.tail,
      replica,
      term: standing.term,
      chainEnd: head?.sequence ?? 0,
      own,
      anchored: newest.anchored,
      lineageHere: own ? await source.lineageAt(own.to + 1) : null,
      facts,
    })
    if (position.kind === 'continue' || position.kind === 'rewind') {
      if (head && isRival(head, source.epoch) && cursor.sequence > 0 && !replica)
        events.rival(source.lane, head.headers.get(HEADERS.epoch) ?? '')
      if (position.kind === 'rewind') events.rewound(source.lane, position.next, position.why)
      const here = Math.max(cursor.next, source.durable)
      // Of a chain that is not ours, what others wrote was not read (of another epoch of its gateway, say), nor what a copy lacks: it is known
      // no further than our newest there.
      const end = replica ? (own?.sequence ?? 0) : position.expected
      const known = position.next > here ? cursor.sequence : Math.max(cursor.sequence, end)
      const sequence = position.kind === 'rewind' ? end : known
      source.moveCursor({ next: Math.min(position.next, here), sequence, streamCreated: facts.created })
    }
    return { position, head }
  }

  async #newestOwn(session: CentralSession, head: ChainHead | null): Promise<NewestOwn> {
    const { source, target, settings, replica } = this.#tools
    const { sequence } = source.cursor
    // Nobody else can have sent anything of a lane of our own that we have not begun to send; a copy may know nothing of it.
    const from = sequence > 0 ? sequence : replica ? 1 : null
    try {
      return await newestOwn(session, { ...target, epoch: source.epoch }, head, sequence, from, settings.ackTimeout)
    } catch (error) {
      if (!(error instanceof StaleReadError) || this.#lagged < LAGS) throw error
      return { own: null, anchored: false }
    }
  }

  /** Has it decided what may leave, if others may have changed that. */
  async #arbitrate(
    session: CentralSession,
    { kind, expected }: Place,
    head: ChainHead | null,
    begins: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { clearance, target, settings } = this.#tools
    if (!clearance) return
    const dealtWith = this.#dealtWith
    const fence = head && fenceOf(head)
    // Directly behind what we know stands at most one message; that is ours, or no fence.
    const follows = expected === dealtWith || (fence === null && head !== null && previousOf(head) === dealtWith)
    const oursOnly = dealtWith !== null && follows
    if (kind === 'rewind') {
      // Fences may have been forgotten too, those that we made among them: none from before serves any more.
      const { lastSequence } = await session.facts(target.stream, settings.ackTimeout)
      this.#fencedUpTo = Math.max(this.#fencedUpTo, lastSequence)
    } else if (!oursOnly) this.#fencedUpTo = Math.max(this.#fencedUpTo, expected)
    else if (!begins) {
      this.#dealtWith = expected
      return
    }
    const [fencedBy, inPlaceOf] = !oursOnly && fence ? [[fence.by], fence.inPlaceOf] : [[], []]
    await clearance.arbitrate(session, { fencedBy, inPlaceOf, upTo: this.#fencedUpTo }, signal)
    if (!signal.aborted) this.#dealtWith = expected
  }

  async #standDown(reason: string, signal: AbortSignal): Promise<void> {
    this.#tools.events.stoodDown(this.#tools.source.lane, reason)
    await untilAborted(signal)
  }

  async #fork(session: CentralSession, signal: AbortSignal): Promise<void> {
    const { source, target, settings, replica } = this.#tools
    if (replica) return this.#standDown('the centre has another history than this copy', signal)
    // Under the old epoch still: what both histories have in common is in the stream already.
    const next = await commonEnd(session, target, source, settings.ackTimeout)
    await source.startEpoch()
    source.moveCursor({ next, sequence: 0, streamCreated: null })
  }

  async #send(session: CentralSession, position: Place, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { source, settings, clock, pace, breaker, events } = this.#tools
    let { next, expected } = position
    // Small at first: whoever waits for the link to come back waits for its first message.
    let first = true
    const limit = session.maxPayload - HEADER_ROOM
    const preparing = () => new PacksAhead(source, (from) => this.#prepare(from, this.#size.bytes(limit), limit))
    let ahead = preparing()
    let audits = 0
    while (!signal.aborted) {
      if (next >= source.head) {
        if (await growth(source, next, clock, AUDIT_EVERY, signal)) continue
        if (!signal.aborted && (++audits % FULL_AUDIT === 0 || (await this.#forgotten(session)))) return
        continue
      }
      await pause(clock, breaker.wait, signal)
      const careful = first || breaker.state !== 'closed'
      const size = careful ? Math.min(limit, this.#size.minimum) : this.#size.bytes(limit)
      const { slice, message } = await (ahead.take() ?? this.#prepare(next, size, limit))
      if (slice.next === next) continue
      await pause(clock, pace.take(message.body.length), signal)
      if (signal.aborted) return
      // What may leave can have become less since it was read.
      if (slice.next > source.head || !source.lend(slice)) {
        ahead = preparing()
        continue
      }
      // What came since it was read is no more than what it holds.
      const keepsUp = source.head - slice.next <= slice.count
      const started = clock.monotonic()
      const appending = session.append(message, expected, this.#timeout(message.body.length))
      if (!keepsUp) ahead.fill(slice.next)
      expected = await appending
      const roundTrip = clock.monotonic() - started
      this.#dealtWith = expected
      next = slice.next
      first = false
      source.moveCursor({ next, sequence: expected, streamCreated: source.cursor.streamCreated })
      this.#size.acknowledged(slice.body.length, roundTrip)
      this.#measure(message.body.length, roundTrip)
      attempts.succeeded()
      events.stored(source.lane, slice.count, message.body.length, roundTrip)
      for (const gap of slice.gaps) events.declared(source.lane, gap)
      if (keepsUp) await pause(clock, started + settings.linger - clock.monotonic(), signal)
    }
  }

  async #prepare(from: Offset, size: Bytes, limit: Bytes): Promise<PreparedPack> {
    const slice = await this.#tools.source.read(from, size)
    return { slice, message: await this.#pack(slice, limit) }
  }

  /** Whether the stream has less than it acknowledged. Reads no message: on an idle, metered link that would add up. */
  async #forgotten(session: CentralSession): Promise<boolean> {
    const { source, target, settings } = this.#tools
    return forgotten(await session.facts(target.stream, settings.ackTimeout), source.cursor) !== null
  }

  /** The slice as a message; a single record that no message of this server can hold is declared, not sent. */
  async #pack(slice: LaneSlice, limit: Bytes): Promise<OutgoingMessage> {
    const { source, target, standing } = this.#tools
    const origin = { epoch: source.epoch, term: standing.term }
    // What does not shrink may even grow by being compressed.
    for (const compress of this.#compresses() ? [true, false] : [false, true]) {
      const message = await encodePack(slice, origin, target, compress)
      if (message.body.length <= limit) return message
    }
    return encodePack(withoutRecords(slice), origin, target, false)
  }

  #compresses(): boolean {
    const { compress } = this.#tools.settings
    if (compress !== 'auto') return compress === 'gzip'
    return this.#bytesPerMs !== null && this.#bytesPerMs < SLOW_LINK_BYTES_PER_MS
  }

  /** Generous on a slow link: giving up too early there means sending the same bytes again. */
  #timeout(bytes: Bytes): Millis {
    const expected = this.#bytesPerMs === null ? 0 : bytes / this.#bytesPerMs
    return this.#tools.settings.ackTimeout + expected * 4
  }

  #measure(bytes: Bytes, roundTrip: Millis): void {
    // Small messages measure the delay, not the width of the link: they can only show that it is wider than thought.
    const rate = bytes / Math.max(roundTrip, 0.1)
    const tells = bytes >= this.#size.minimum
    if (this.#bytesPerMs === null) this.#bytesPerMs = tells ? rate : null
    else if (tells || rate > this.#bytesPerMs) this.#bytesPerMs += (rate - this.#bytesPerMs) * 0.2
  }
}

/** Whether another gateway writes under the same name: one that forwards for it has a higher term, and fences are no records. */
function isRival(head: ChainHead, epoch: string): boolean {
  const foreign = head.headers.get(HEADERS.epoch)
  if (foreign === undefined || foreign === epoch || fenceOf(head) !== null) return false
  return Number(head.headers.get(HEADERS.term)) <= FIRST_TERM
}
