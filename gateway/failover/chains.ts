import { type Millis, readingsSubject, STREAMS, type StreamSequence } from '../../sync/contract/index.ts'
import { type LearntPack, offsetsOf, raiseFence } from '../../sync/forward/index.ts'
import type { CentralSession } from '../../sync/link/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { Clearing } from './clearing.ts'
import type { Replicas } from './replicas.ts'
import type { Twins } from './twins.ts'

interface Parts {
  site: string
  gateway: string
  ackTimeout: Millis
  clearing: Clearing
  replicas: Replicas
  twins: Twins
  clock: Clock
  /** Resolves when everything that was taken in so far is durable. */
  durable(): Promise<void>
  filled(origin: string, from: number, count: number): void
}

/** Why a chain is fenced. */
export interface Purpose {
  /** The gateway in whose place this one is about to send; null when it is about its own readings. */
  inPlaceOf: string | null
  /** An own fence that is there already serves if it is newer than this, see `Fencing`. */
  newerThan: StreamSequence
}

/** Of a peer that was never met, its chain is read from so many messages of the stream back. */
const LOOK_BACK = 500

/** The chains of peers: what is on them comes into their replicas. Read and fenced one at a time. */
export class PeerChains {
  readonly #parts: Parts
  /** The newest message of each that was read. */
  readonly #seen = new Map<string, StreamSequence>()
  #tail: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** When this resolves, everything that the peer's chain had before the fence is known here, and durable. */
  fence(central: CentralSession, peer: string, purpose: Purpose): Promise<void> {
    const turn = this.#tail.then(() => this.#fence(central, peer, purpose))
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #fence(central: CentralSession, peer: string, purpose: Purpose): Promise<void> {
    const { site, gateway, ackTimeout, durable } = this.#parts
    // What came since through the peer itself need not be read again: that may be weeks.
    const after = Math.max(this.#seen.get(peer) ?? 0, await this.#lookBack(central, peer))
    const seen = await raiseFence(central, {
      ...purpose,
      stream: STREAMS.readings,
      subject: readingsSubject(site, peer),
      by: gateway,
      ackTimeout,
      after,
      learn: (pack) => this.#learn(peer, pack),
    })
    await durable()
    this.#seen.set(peer, seen)
  }

  /** Where to begin to read the chain of a peer: behind what the replica of it has. */
  async #lookBack(central: CentralSession, peer: string): Promise<StreamSequence> {
    const known = this.#parts.replicas.all.filter((replica) => replica.gateway === peer)
    const lanes = known.map((replica) => replica.lane('readings'))
    // Of an epoch that is not in the stream as a whole, what is there must be read, even if there is something newer behind it.
    const open = lanes.filter(({ cursor, head }) => cursor.next < head)
    if (open.length > 0) return Math.min(...open.map(({ cursor }) => cursor.sequence))
    // Of two epochs, that of the newer one says nothing of the older. Whatever there is on the chain of a peer that was met, and had nothing
    // on it, is new.
    const read = lanes.map(({ cursor }) => cursor.sequence).filter((sequence) => sequence > 0)
    if (known.length > 0) return read.length > 0 ? Math.min(...read) : 0
    const { lastSequence } = await central.facts(STREAMS.readings, this.#parts.ackTimeout)
    return Math.max(0, lastSequence - LOOK_BACK)
  }

  async #learn(peer: string, { facts, lines, sequence }: LearntPack): Promise<void> {
    const { replicas, twins, clearing, clock, filled } = this.#parts
    const origin = `${peer}/${facts.epoch}`
    const replica = await replicas.of(origin)
    const lane = replica.lane('readings')
    const { fresh } = replicas.fill(replica, { ...facts, lines }, clock.now())
    if (fresh > 0) filled(origin, facts.from, fresh)
    // Also what was left out of its replica here, to be sent in its place: it was faster.
    twins.found(origin, offsetsOf(facts))
    const { cursor } = lane
    if (facts.to >= cursor.next) lane.moveCursor({ ...cursor, next: facts.to + 1, sequence })
    clearing.left(origin, facts.to + 1)
  }
}
