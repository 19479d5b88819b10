import type { Millis, StreamSequence } from '../../sync/contract/index.ts'
import type { Clearance, Fencing as Fences } from '../../sync/forward/index.ts'
import type { CentralSession } from '../../sync/link/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { PeerChains } from './chains.ts'
import type { Clearing } from './clearing.ts'

interface Parts {
  peers: readonly string[]
  clearing: Clearing
  chains: PeerChains
  clock: Clock
  random: Random
  /** What the peer says decides what may leave, so it need not be fenced. */
  answers(peer: string): boolean
  /** Somebody else may have sent in place of the peer: what it says is not enough until its chain was read. */
  doubt(peer: string): void
  /** The chain of the peer was read to its end. */
  read(peer: string): void
  troubled(what: string, error: unknown): void
}

/** A rival that is alive gets about this much time before it is fenced again: two that fence each other take turns. */
const TURN: Millis = 250
export const RETRY: Millis = 500

/** Waits so that a rival gets something done too. */
export const giveTurn = (clock: Clock, random: Random, signal: AbortSignal): Promise<void> =>
  pause(clock, TURN * (0.2 + random.next()), signal)

/** Fences the chain of a peer, however often that takes, unless it is not needed any more. */
export async function fenceAtLast(
  fence: () => Promise<void>,
  { clock, isNeeded, failed }: { clock: Clock; isNeeded: () => boolean; failed: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && isNeeded())
    try {
      await fence()
      return
    } catch (error) {
      failed(error)
      await pause(clock, RETRY, signal)
    }
}

/**
 * Fences the chains of peers that are away, so that own readings may leave without them (ADR 16).
 *
 *     present --away--> unknown --chain read, fence raised--> fenced --its own fence found on our chain--> unknown
 *        ^_________________|____________________________________|
 */
export class Fencing implements Clearance {
  readonly #parts: Parts
  /** Own fences serve only if they are newer than this, see `Clearance`. */
  #newerThan: StreamSequence = 0
  #session: { central: CentralSession; signal: AbortSignal } | null = null
  /** One at a time. */
  #tail: Promise<void> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** See `Clearance`. */
  arbitrate(central: CentralSession, { fencedBy, inPlaceOf, upTo }: Fences, signal: AbortSignal): Promise<void> {
    const { peers, clearing, answers, doubt, clock, random } = this.#parts
    this.#session = { central, signal }
    // What others write to the chain ends what is on its way there, whose fate may be unknown: only then can it be decided anew.
    const isNew = upTo > this.#newerThan
    this.#newerThan = Math.max(this.#newerThan, upTo)
    return this.#inTurn(async () => {
      clearing.locate()
      if (isNew) clearing.withdraw()
      for (const peer of inPlaceOf) if (peers.includes(peer)) doubt(peer)
      for (const peer of this.#away()) clearing.stand(peer, { kind: 'unknown' })
      if (fencedBy.some((peer) => !answers(peer))) await giveTurn(clock, random, signal)
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
    const { clearing, chains, clock, answers, read, troubled } = this.#parts
    for (const peer of this.#away())
      await fenceAtLast(
        async () => {
          await chains.fence(central, peer, { inPlaceOf: null, newerThan: this.#newerThan })
          read(peer)
          if (!answers(peer)) clearing.stand(peer, { kind: 'fenced' })
        },
        {
          clock,
          isNeeded: () => !answers(peer) && clearing.standing(peer).kind !== 'fenced',
          failed: (error) => troubled(`fencing ${peer}`, error),
        },
        signal,
      )
  }
}
