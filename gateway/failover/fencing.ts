import { type Millis, type Offset, readingsSubject, STREAMS, type StreamSequence } from '../../sync/contract/index.ts'
import { type Clearance, type Fencing as Fences, type LearntPack, raiseFence } from '../../sync/forward/index.ts'
import type { CentralSession } from '../../sync/link/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { Clearing } from './clearing.ts'
import type { Replicas } from './replicas.ts'

interface Parts {
  site: string
  gateway: string
  peers: readonly string[]
  ackTimeout: Millis
  clearing: Clearing
  replicas: Replicas
  clock: Clock
  random: Random
  /** What the peer says decides what may leave, so it need not be fenced. */
  answers(peer: string): boolean
  /** The chain of the peer was read to its end. */
  read(peer: string): void
  /** Resolves when everything that was taken in so far is durable. */
  durable(): Promise<void>
  filled(origin: string, from: Offset, count: number): void
  troubled(what: string, error: unknown): void
}

/** A rival that is alive gets this much time before it is fenced again: two that fence each other take turns. */
const TURN: Millis = 250
const RETRY: Millis = 500
/** Of a peer that was never met, its chain is read from so many messages of the stream back. */
const LOOK_BACK = 500

/**
 * Fences the chains of peers that are away, so that own readings may leave without them (ADR 16).
 *
 *     present --away--> unknown --chain read, fence raised--> fenced --its own fence found on our chain--> unknown
 *        ^_________________|____________________________________|
 */
export class Fencing implements Clearance {
  readonly #parts: Parts
  /** The newest message of each peer's chain that was read. */
  readonly #seen = new Map<string, StreamSequence>()
  /** Own fences serve only if they are newer than this, see `Clearance`. */
  #newerThan: StreamSequence = 0
  #session: { central: CentralSession; signal: AbortSignal } | null = null
  /** One at a time. */
  #tail: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** See `Clearance`. */
  arbitrate(central: CentralSession, { fencedBy, upTo }: Fences, signal: AbortSignal): Promise<void> {
    const { clearing, answers, clock, random } = this.#parts
    this.#session = { central, signal }
    // What others write to the chain ends what is on its way there, whose fate may be unknown: only then can it be decided anew.
    const isNew = upTo > this.#newerThan
    this.#newerThan = Math.max(this.#newerThan, upTo)
    return this.#inTurn(async () => {
      clearing.locate()
      if (isNew) clearing.withdraw()
      for (const peer of this.#away()) clearing.stand(peer, { kind: 'unknown' })
      const isContended = fencedBy.some((peer) => !answers(peer))
      if (isContended) await pause(clock, TURN * (0.2 + random.next()), signal)
      await this.#fenceAll(central, signal)
      clearing.advance()
      await clearing.idle()
    })
  }

  /** A peer is away: own readings wait until its chain is fenced. */
  lost(peer: string): void {
    const { clearing } = this.#parts
    clearing.stand(peer, { kind: 'unknown' })
    const session = this.#session
    if (session && !session.signal.aborted) void this.#inTurn(() => this.#fenceAll(session.central, session.signal))
  }

  #away(): string[] {
    return this.#parts.peers.filter((peer) => !this.#parts.answers(peer))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #fenceAll(central: CentralSession, signal: AbortSignal): Promise<void> {
    const { clearing, clock, answers, troubled } = this.#parts
    for (const peer of this.#away())
      while (!signal.aborted && !answers(peer) && clearing.standing(peer).kind !== 'fenced')
        try {
          await this.#fence(central, peer)
          if (!answers(peer)) clearing.stand(peer, { kind: 'fenced' })
        } catch (error) {
          troubled(`fencing ${peer}`, error)
          await pause(clock, RETRY, signal)
        }
  }

  async #fence(central: CentralSession, peer: string): Promise<void> {
    const { site, gateway, ackTimeout, durable } = this.#parts
    const stream = STREAMS.readings
    const after = this.#seen.get(peer) ?? (await this.#lookBack(central, peer))
    const seen = await raiseFence(central, {
      stream,
      subject: readingsSubject(site, peer),
      by: gateway,
      ackTimeout,
      after,
      newerThan: this.#newerThan,
      learn: (pack) => this.#learn(peer, pack),
    })
    await durable()
    this.#seen.set(peer, seen)
    this.#parts.read(peer)
  }

  /** Where to begin to read the chain of a peer: behind what the replica of it has. */
  async #lookBack(central: CentralSession, peer: string): Promise<StreamSequence> {
    const known = this.#parts.replicas.all.filter((replica) => replica.gateway === peer)
    const lanes = known.map((replica) => replica.lane('readings'))
    // Of an epoch that is not in the stream as a whole, what is there must be read, even if there is something newer behind it.
    const open = lanes.filter(({ cursor, head }) => cursor.next < head)
    if (open.length > 0) return Math.min(...open.map(({ cursor }) => cursor.sequence))
    const newest = Math.max(0, ...lanes.map(({ cursor }) => cursor.sequence))
    if (newest > 0) return newest
    const { lastSequence } = await central.facts(STREAMS.readings, this.#parts.ackTimeout)
    return Math.max(0, lastSequence - LOOK_BACK)
  }

  async #learn(peer: string, { facts, lines, sequence }: LearntPack): Promise<void> {
    const { replicas, clearing, clock, filled } = this.#parts
    const origin = `${peer}/${facts.epoch}`
    const replica = await replicas.of(origin)
    const lane = replica.lane('readings')
    const { fresh } = replicas.fill(replica, { ...facts, lines }, clock.now())
    if (fresh > 0) filled(origin, facts.from, fresh)
    const { cursor } = lane
    if (facts.to >= cursor.next) lane.moveCursor({ ...cursor, next: facts.to + 1, sequence })
    clearing.left(origin, facts.to + 1)
  }
}
