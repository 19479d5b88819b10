import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import { eventId, type Origin } from '../rules/index.ts'

/** What a gateway tells of itself and its peers. */
export type FailoverChange =
  /** What is to be on two disks is on one, or on two again. */
  | { kind: 'degraded' | 'restored' }
  /** The alarms of a peer are decided here, or by itself again. */
  | { kind: 'takenOver' | 'givenBack'; peer: string }

interface StoredBook {
  degraded: boolean
  /** Names of peers that are taken over, in order. */
  takenOver: readonly string[]
  /** Events since the store was made, and when the first was: they are numbered like the transitions of an alarm. */
  changes: number
  first: Millis
}

const EMPTY: StoredBook = { degraded: false, takenOver: [], changes: 0, first: 0 }

/** Where these events stand among those of the devices. */
const FAILOVER = '@failover'

/**
 * What was told of failover, so that it is told once: after a restart only what has become of it since. Part of the state, and stored
 * with it.
 */
export class FailoverBook {
  readonly name = '["failover"]'
  dirty: Origin | null = null
  readonly #device: string
  #stored: StoredBook = EMPTY

  constructor(gateway: string) {
    this.#device = `@${gateway}`
  }

  get degraded(): boolean {
    return this.#stored.degraded
  }

  get takenOver(): readonly string[] {
    return this.#stored.takenOver
  }

  /** @returns the event that tells of it; null when it has been told */
  change(change: FailoverChange, at: Millis): ThresholdEvent | null {
    const { degraded, takenOver, changes, first } = this.#stored
    const next = { degraded, takenOver }
    if ('peer' in change) {
      const others = takenOver.filter((peer) => peer !== change.peer)
      next.takenOver = change.kind === 'takenOver' ? [...others, change.peer].sort() : others
      if (next.takenOver.length === takenOver.length) return null
    } else {
      next.degraded = change.kind === 'degraded'
      if (next.degraded === degraded) return null
    }
    const transition = changes + 1
    const since = changes === 0 ? at : first
    this.#stored = { ...next, changes: transition, first: since }
    return {
      id: eventId(this.#device, FAILOVER, since, transition),
      device: this.#device,
      rule: FAILOVER,
      transition,
      since,
      type: `tidegate.failover.${change.kind}`,
      time: at,
      data: { peer: 'peer' in change ? change.peer : null, ...next },
    }
  }

  toJSON(): StoredBook {
    return this.#stored
  }

  restore(stored: unknown): void {
    this.#stored = stored as StoredBook
  }

  clear(): void {
    this.restore(EMPTY)
  }
}
