import {
  byLane,
  DeadLetterError,
  decodeLine,
  describeError,
  LANES,
  type Lane,
  type Millis,
  type Offset,
  OperatorError,
  type Reading,
  type StopAcceptingError,
  type ThresholdEvent,
  TidegateError,
} from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import { decodeBlockHeader } from '../outbox/index.ts'
import type { KnownSeries } from '../state/index.ts'
import { type Briefing, seriesOf } from './briefing.ts'
import type { ServedSession } from './link/index.ts'
import {
  type Answer,
  decodeRequest,
  encodeMessage,
  type LanePosition,
  type LaneProgress,
  otherVersion,
  PROTOCOL_VERSION,
  type Request,
  type SharedRules,
} from './protocol.ts'

/** A peer's lanes here, and what follows from its records. */
export interface ReplicaKeeper {
  readonly origin: string
  /** Nothing was known of it before. */
  readonly isNew: boolean
  /** It has told here what it knows beyond its lanes. */
  readonly isBriefed: boolean
  position(lane: Lane): LanePosition
  /** What is durable of it. */
  durable(lane: Lane): Offset
  /** Takes in a block; returns its new records, in order. */
  accept(lane: Lane, value: Buffer): Iterable<readonly [offset: Offset, line: string]>
  declare(lane: Lane, gap: Gap): void
  follow(lane: Lane, progress: LaneProgress): Promise<void>
  heard(reading: Reading, offset: Offset): void
  heeded(event: ThresholdEvent, offset: Offset): void
  learned(series: KnownSeries): void
  /** That was all that it knows. */
  briefed(): void
}

/** What a downlink needs from the gateway around it. */
export interface DownlinkHost {
  readonly site: string
  readonly gateway: string
  epoch(): string
  readonly accepting: boolean
  refusal(): StopAcceptingError
  /** The peer is here again under this epoch: whatever was done in its place ends before this resolves. */
  arrived(peer: string, epoch: string): Promise<ReplicaKeeper>
  whenDurable(callback: (error: Error | null) => void): void
  /** Own readings taken in so far, and which of them have left, see `Answer`. */
  clearing(): { head: Offset; settled: Offset | null; skipped: readonly Offset[] }
  mergeRules(sets: Record<string, SharedRules>): void
  /** The peer is about to stop. */
  leaving(peer: string): void
}

interface Parts {
  session: ServedSession
  host: DownlinkHost
  clock: Clock
  awayAfter: Millis
  /** It has said hello. */
  up(peer: string): void
  down(peer: string, reason: string): void
}

/**
 * One session in which a peer sends its lanes.
 *
 *     dialled --hello--> welcomed --blocks, beats--> ...      silence, error, or a newer session --> over
 */
export class Downlink {
  readonly #parts: Parts
  #keeper: ReplicaKeeper | null = null
  #heardAt: Millis
  #over = false
  #stopWatch: () => void = () => {}

  constructor(parts: Parts) {
    this.#parts = parts
    const { session, clock, awayAfter } = parts
    this.#heardAt = clock.monotonic()
    session.onMessage((bytes, done) => {
      this.#heardAt = clock.monotonic()
      this.#take(bytes, done)
    })
    const watch = (): void => {
      if (clock.monotonic() - this.#heardAt > awayAfter) this.#end(`${session.peer} says nothing`)
      else this.#stopWatch = clock.after(awayAfter / 4, watch)
    }
    this.#stopWatch = clock.after(awayAfter, watch)
    void session.closed.then((error) => this.#end(error ? describeError(error) : 'the connection was closed'))
  }

  close(reason: string): void {
    this.#end(reason)
  }

  #end(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#stopWatch()
    const { session, down } = this.#parts
    session.close()
    down(session.peer, reason)
  }

  #take(bytes: Buffer, done: (error: Error | null) => void): void {
    let request: Request
    try {
      request = decodeRequest(bytes)
      if (this.#over) throw new OperatorError('SESSION_OVER', 'the session is over')
      this.#answerTo(request, done)
    } catch (error) {
      this.#refuse(error)
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #answerTo(request: Request, done: (error: Error | null) => void): void {
    const { session, host } = this.#parts
    switch (request.kind) {
      case 'hello':
        this.#greet(request).then(
          () => done(null),
          (error: unknown) => {
            this.#refuse(error)
            done(error instanceof Error ? error : new Error(String(error)))
          },
        )
        return
      case 'blocks':
        this.#store(request, done)
        return
      case 'beat':
        this.#follow(request.lanes)
        this.#say(this.#keeper ? this.#stored(this.#keeper) : { kind: 'beat' })
        break
      case 'briefing':
        this.#learn(request, done)
        return
      case 'rules':
        host.mergeRules(request.sets)
        break
      case 'leaving':
        host.leaving(session.peer)
    }
    done(null)
  }

  async #greet({ version, site, gateway, epoch }: Extract<Request, { kind: 'hello' }>): Promise<void> {
    const { session, host, up } = this.#parts
    if (site !== host.site || gateway !== session.peer)
      throw new OperatorError(
        'PEER_WRONG',
        `'${gateway}' of site '${site}' has dialled as '${session.peer}', and ${host.gateway} is of site '${host.site}'`,
      )
    // It lives, whether or not there can be a session: nobody has to stand in for it.
    const keeper = await host.arrived(gateway, epoch)
    if (version !== PROTOCOL_VERSION) throw otherVersion(gateway, version, host.gateway)
    // Otherwise it would take this one for somebody who keeps copies, until the first of them is refused.
    if (!host.accepting) throw host.refusal()
    await new Promise<void>((resolve, reject) => host.whenDurable((error) => (error ? reject(error) : resolve())))
    if (this.#over) return
    this.#keeper = keeper
    // Of one that was met and had nothing then, all is heard that it still has: there may be copies of what was taken in here since.
    const have = keeper.isNew ? null : byLane((lane) => keeper.position(lane))
    const brief = !keeper.isBriefed
    this.#say({ kind: 'welcome', version: PROTOCOL_VERSION, gateway: host.gateway, epoch: host.epoch(), have, brief })
    up(gateway)
    this.#say(this.#stored(keeper))
  }

  #store({ blocks, gaps }: Extract<Request, { kind: 'blocks' }>, done: (error: Error | null) => void): void {
    const { host } = this.#parts
    const keeper = this.#keeper
    if (!keeper) throw new OperatorError('PEER_UNGREETED', 'blocks came before a hello')
    if (!host.accepting) throw host.refusal()
    for (const { lane, value } of blocks) {
      // What is missing before a block is declared before it, or the block would leave a hole. What is missing in it is declared
      // behind it: its lines are there, and count.
      const { first } = decodeBlockHeader(value)
      for (const { lane: of, gap } of gaps)
        if (of === lane && gap.from < first) keeper.declare(lane, { ...gap, to: Math.min(gap.to, first - 1) })
      for (const [offset, line] of keeper.accept(lane, value)) this.#take1(keeper, lane, offset, line)
    }
    for (const { lane, gap } of gaps) keeper.declare(lane, gap)
    host.whenDurable((error) => {
      if (!error && !this.#over) this.#say(this.#stored(keeper))
      done(error)
    })
  }

  #learn(briefing: Briefing, done: (error: Error | null) => void): void {
    const keeper = this.#keeper
    if (!keeper) throw new OperatorError('PEER_UNGREETED', 'a briefing came before a hello')
    for (const series of seriesOf(briefing)) keeper.learned(series)
    if (briefing.last) keeper.briefed()
    this.#parts.host.whenDurable(done)
  }

  #take1(keeper: ReplicaKeeper, lane: Lane, offset: Offset, line: string): void {
    if (lane === 'deadletters') return
    try {
      if (lane === 'readings') keeper.heard(decodeLine(line), offset)
      else keeper.heeded(JSON.parse(line) as ThresholdEvent, offset)
    } catch (error) {
      // A newer version may write what this one does not understand: it is kept, and forwarded if need be, but not heard.
      if (!(error instanceof DeadLetterError || error instanceof SyntaxError)) throw error
    }
  }

  #stored(keeper: ReplicaKeeper): Answer {
    const { host } = this.#parts
    const next = byLane((lane) => keeper.durable(lane))
    return { kind: 'stored', next, epoch: host.epoch(), ...host.clearing() }
  }

  #follow(lanes: Record<Lane, LaneProgress>): void {
    const keeper = this.#keeper
    if (!keeper) return
    for (const lane of LANES)
      keeper.follow(lane, lanes[lane]).catch((error: unknown) => this.#end(describeError(error)))
  }

  #say(answer: Answer): void {
    if (!this.#over) this.#parts.session.send(encodeMessage(answer))
  }

  #refuse(error: unknown): void {
    const code = error instanceof TidegateError ? error.code : 'PEER_FAILED'
    this.#say({ kind: 'refused', code, message: describeError(error) })
    this.#end(describeError(error))
  }
}
