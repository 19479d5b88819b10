import { type Bytes, HEADERS, type Millis, type Offset } from '../contract/index.ts'
import { type CentralSession, type ChainHead, type OutgoingMessage, WrongLastSequenceError } from '../link/index.ts'
import { type Breaker, type Clock, pause } from '../runtime/index.ts'
import type { Attempts } from './attempts.ts'
import { commonEnd } from './common-end.ts'
import type { ForwardEvents } from './events.ts'
import type { Pace } from './pace.ts'
import { encodePack, HEADER_ROOM, ownHead } from './pack.ts'
import { PackSize, type PackSizeSettings } from './pack-size.ts'
import { PacksAhead, type PreparedPack } from './packs-ahead.ts'
import { decidePosition, forgotten, type Position } from './position.ts'
import type { LaneSlice, LaneSource } from './source.ts'
import { growth, untilAborted } from './wait.ts'

export interface PackSettings extends PackSizeSettings {
  compress: 'none' | 'gzip' | 'auto'
  /** How long a record may wait for others to share its pack. */
  linger: Millis
  ackTimeout: Millis
}

interface Tools {
  source: LaneSource
  target: { stream: string; subject: string }
  term: number
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

/** `auto` compresses when the link carries less than this: then the bytes cost more than the processor. */
const SLOW_LINK_BYTES_PER_MS = 4000

/**
 * Forwards one lane as packs on one chain; one pack is in flight.
 *
 *     locating --continue / rewind--> sending --stored--> sending ...
 *        ^                               |
 *        +----- outcome unknown, or -----+
 *               somebody else's message, or nothing to send for a while
 *
 * Nothing is ever assumed about a pack whose answer is missing: `locating` reads the chain and goes on from there.
 * The pack size and the speed of the link outlive a session, so one forwarder serves all sessions in turn.
 */
export class PackForwarder {
  readonly #tools: Tools
  readonly #size: PackSize
  /** Smoothed throughput of the link; null until measured. */
  #bytesPerMs: number | null = null

  constructor(tools: Tools) {
    this.#tools = tools
    this.#size = new PackSize(tools.settings)
  }

  /** Runs until `signal` aborts (session over, or stop). Never rejects: trouble is reported and retried. */
  async run(session: CentralSession, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { source, events, clock } = this.#tools
    while (!signal.aborted) {
      try {
        const position = await this.#locate(session)
        if (position.kind === 'fenced') {
          events.stoodDown(source.lane, `term ${position.term} forwards this origin`)
          await untilAborted(signal)
        } else if (position.kind === 'forked') await this.#fork(session)
        else await this.#send(session, position, attempts, signal)
      } catch (error) {
        if (signal.aborted) return
        // Somebody's message came in between: read again at once, that is not a failure of the link.
        if (error instanceof WrongLastSequenceError) {
          await pause(clock, 1, signal)
          continue
        }
        this.#size.failed()
        events.troubled(source.lane, error)
        await attempts.failed(error, signal)
      }
    }
  }

  async #locate(session: CentralSession): Promise<Position> {
    const { source, target, term, settings, events } = this.#tools
    const { stream, subject } = target
    // In this order: a stream that forgets between the two answers is caught by the second, not missed by both.
    const head = await session.head(stream, subject, settings.ackTimeout)
    const facts = await session.facts(stream, settings.ackTimeout)
    const own = ownHead(await this.#newestOwn(session, head), source.epoch)
    const { cursor } = source
    const position = decidePosition({
      cursor,
      localHead: source.head,
      localTail: source.tail,
      term,
      chainEnd: head?.sequence ?? 0,
      own,
      lineageHere: own ? await source.lineageAt(own.to + 1) : null,
      facts,
    })
    if (position.kind === 'continue' || position.kind === 'rewind') {
      const foreign = head?.headers.get(HEADERS.epoch)
      if (foreign !== undefined && foreign !== source.epoch && cursor.sequence > 0) events.rival(source.lane, foreign)
      if (position.kind === 'rewind') events.rewound(source.lane, position.next, position.why)
      const sequence = position.kind === 'rewind' ? position.expected : Math.max(cursor.sequence, position.expected)
      source.moveCursor({ next: position.next, sequence, streamCreated: facts.created })
    }
    return position
  }

  /** Under another gateway's messages on the same subject there may be newer ones of ours than we know of. */
  async #newestOwn(session: CentralSession, head: ChainHead | null): Promise<ChainHead | null> {
    const { source, target, settings } = this.#tools
    const { sequence } = source.cursor
    const isOwn = (message: ChainHead): boolean => message.headers.get(HEADERS.epoch) === source.epoch
    if (!head || isOwn(head) || sequence === 0 || head.sequence <= sequence) return head
    let newest: ChainHead | null = null
    for (let at = sequence; at < head.sequence; ) {
      const message = await session.nextFrom(target.stream, target.subject, at, settings.ackTimeout)
      if (!message) break
      if (isOwn(message)) newest = message
      at = message.sequence + 1
    }
    return newest
  }

  async #fork(session: CentralSession): Promise<void> {
    const { source, target, settings } = this.#tools
    // Under the old epoch still: what both histories have in common is in the stream already.
    const next = await commonEnd(session, target, source, settings.ackTimeout)
    await source.startEpoch()
    source.moveCursor({ next, sequence: 0, streamCreated: null })
  }

  async #send(
    session: CentralSession,
    position: Extract<Position, { kind: 'continue' | 'rewind' }>,
    attempts: Attempts,
    signal: AbortSignal,
  ): Promise<void> {
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
        if (await growth(source, next, clock, AUDIT_EVERY, signal)) await pause(clock, settings.linger, signal)
        else if (!signal.aborted && (++audits % FULL_AUDIT === 0 || (await this.#forgotten(session)))) return
        continue
      }
      await pause(clock, breaker.wait, signal)
      const careful = first || breaker.state !== 'closed'
      const size = careful ? Math.min(limit, this.#size.minimum) : this.#size.bytes(limit)
      const { slice, message } = await (ahead.take() ?? this.#prepare(next, size, limit))
      if (slice.next === next) continue
      await pause(clock, pace.take(message.body.length), signal)
      if (signal.aborted) return
      if (!source.lend(slice)) {
        ahead = preparing()
        continue
      }
      const started = clock.monotonic()
      const appending = session.append(message, expected, this.#timeout(message.body.length))
      ahead.fill(slice.next)
      expected = await appending
      const roundTrip = clock.monotonic() - started
      next = slice.next
      first = false
      source.moveCursor({ next, sequence: expected, streamCreated: source.cursor.streamCreated })
      this.#size.acknowledged(slice.body.length, roundTrip)
      this.#measure(message.body.length, roundTrip)
      attempts.succeeded()
      events.stored(source.lane, slice.count, message.body.length, roundTrip)
      for (const gap of slice.gaps) events.declared(source.lane, gap)
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
    const { source, target, term } = this.#tools
    const origin = { epoch: source.epoch, term }
    // What does not shrink may even grow by being compressed.
    for (const compress of this.#compresses() ? [true, false] : [false, true]) {
      const message = await encodePack(slice, origin, target, compress)
      if (message.body.length <= limit) return message
    }
    const gap = { from: slice.from, to: slice.next - 1, reason: 'oversize' as const }
    return encodePack({ ...slice, count: 0, body: Buffer.alloc(0), gaps: [gap] }, origin, target, false)
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
    if (this.#bytesPerMs === null) this.#bytesPerMs = rate
    else if (bytes >= this.#size.minimum || rate > this.#bytesPerMs) this.#bytesPerMs += (rate - this.#bytesPerMs) * 0.2
  }
}
