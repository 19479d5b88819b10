import type { StreamSequence } from '../../sync/contract/index.ts'
import type { Clearance, Fencing } from '../../sync/forward/index.ts'
import type { CentralSession } from '../../sync/link/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { PeerChains } from './chains.ts'
import { fenceAtLast, giveTurn, RETRY } from './fencing.ts'

interface Parts {
  /** This gateway. */
  gateway: string
  /** The gateway in whose place it sends. */
  absent: string
  /** All others of the site. */
  others: readonly string[]
  chains: PeerChains
  /** Decides what stays behind; false when that cannot be decided yet. */
  decide(): Promise<boolean>
  /** Resolves when everything declared so far is durable. */
  durable(): Promise<void>
  clock: Clock
  random: Random
  troubled(what: string, error: unknown): void
}

/**
 * Clears what is sent in place of a gateway that is away, as that gateway would have to if all others were away for it: it
 * fences their chains, also of those that are here, because what they agreed on with the absent one is not known here (ADR 16).
 */
export class ProxyClearance implements Clearance {
  readonly #parts: Parts
  #newerThan: StreamSequence = 0

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** See `Clearance`. */
  async arbitrate(central: CentralSession, { fencedBy, upTo }: Fencing, signal: AbortSignal): Promise<void> {
    const { gateway, absent, others, chains, decide, durable, clock, random, troubled } = this.#parts
    this.#newerThan = Math.max(this.#newerThan, upTo)
    if (fencedBy.some((by) => by !== gateway)) await giveTurn(clock, random, signal)
    for (const peer of others)
      await fenceAtLast(
        () => chains.fence(central, peer, { inPlaceOf: absent, newerThan: this.#newerThan }),
        { clock, isNeeded: () => true, failed: (error) => troubled(`fencing ${peer} for ${absent}`, error) },
        signal,
      )
    while (!signal.aborted && !(await decide())) await pause(clock, RETRY, signal)
    if (!signal.aborted) await durable()
  }
}
