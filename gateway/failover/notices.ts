import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { FailoverChange } from '../state/index.ts'

/** What a gateway remembers to have told. */
interface Teller {
  readonly toldOfFailover: { readonly degraded: boolean; readonly takenOver: readonly string[] }
  tellOfFailover(change: FailoverChange, at: Millis): ThresholdEvent | null
}

interface Parts {
  machine: Teller
  clock: Clock
  tell(events: readonly ThresholdEvent[]): void
  /** How long after a start it may take until peers are there, if they are, */
  awayAfter: Millis
  /** and until those that are not are taken over. */
  takeoverAfter: Millis
}

/** How it is now. */
export interface FailoverNow {
  degraded: boolean
  peers: readonly { gateway: string; present: boolean; takenOver: boolean }[]
}

/** How much later than is configured things may happen. */
const SLACK: Millis = 1000

/**
 * Tells, as events of the gateway's own, what has become of failover since it was told last. What lasts shorter than from one look to the next is not
 * told, and after a start nothing that is only the start.
 */
export class Notices {
  readonly #parts: Parts
  readonly #since: Millis

  constructor(parts: Parts) {
    this.#parts = parts
    this.#since = parts.clock.monotonic()
  }

  look({ degraded, peers }: FailoverNow): void {
    const { machine, clock, awayAfter, takeoverAfter } = this.#parts
    const running = clock.monotonic() - this.#since
    const told = machine.toldOfFailover
    const changes: FailoverChange[] = []
    if (degraded !== told.degraded && (!degraded || running > awayAfter + SLACK))
      changes.push({ kind: degraded ? 'degraded' : 'restored' })
    for (const { gateway: peer, present, takenOver } of peers) {
      const isKnown = takenOver || present || running > takeoverAfter + SLACK
      if (isKnown && takenOver !== told.takenOver.includes(peer))
        changes.push({ kind: takenOver ? 'takenOver' : 'givenBack', peer })
    }
    for (const peer of told.takenOver)
      if (!peers.some(({ gateway }) => gateway === peer)) changes.push({ kind: 'givenBack', peer })
    this.#tell(changes)
  }

  #tell(changes: readonly FailoverChange[]): void {
    const { machine, clock, tell } = this.#parts
    const events = changes.map((change) => machine.tellOfFailover(change, clock.now()))
    tell(events.filter((event) => event !== null))
  }
}
