import { deadLettersSubject, type Lane, readingsSubject, STREAMS } from '../contract/index.ts'
import type { CentralSession } from '../link/index.ts'
import type { Breaker, Clock } from '../runtime/index.ts'
import type { Attempts } from './attempts.ts'
import type { Clearance } from './clearance.ts'
import { EventForwarder, type Overtaken } from './event-forwarder.ts'
import type { ForwardEvents } from './events.ts'
import type { Pace } from './pace.ts'
import { PackForwarder, type PackSettings } from './pack-forwarder.ts'
import type { LaneSource } from './source.ts'
import { FIRST_TERM, type Standing } from './standing.ts'

/** What one gateway numbered, and by which right it is forwarded. */
export interface Origin {
  /** The gateway whose chains these are. */
  gateway: string
  lanes(lane: Lane): LaneSource
  /** One for each chain: terms of different chains have nothing to do with each other. */
  standing(lane: PackLane): Standing
  /** Whether these are copies of another gateway's lanes. */
  replica: boolean
  /** Decides which readings may leave; without one, all may. */
  clearance?: Clearance | undefined
}

export type PackLane = 'readings' | 'deadletters'

/** What all that is forwarded over one link has in common. */
export interface SharedTools {
  site: string
  pack: PackSettings
  clock: Clock
  pace: Pace
  breaker: Breaker
  events: ForwardEvents
  overtaken?: Overtaken | undefined
}

/** The three lanes of one origin, from session to session. */
export class OriginLanes {
  readonly #packs: readonly PackForwarder[]
  readonly #events: EventForwarder

  constructor({ gateway, lanes, standing, replica, clearance }: Origin, shared: SharedTools) {
    const { site, pack: settings, clock, pace, breaker, events, overtaken } = shared
    const packs = (lane: PackLane, subject: string): PackForwarder =>
      new PackForwarder({
        source: lanes(lane),
        target: { stream: STREAMS[lane], subject },
        standing: standing(lane),
        replica,
        clearance: lane === 'readings' ? clearance : undefined,
        settings,
        clock,
        pace,
        breaker,
        events,
      })
    this.#packs = [
      packs('readings', readingsSubject(site, gateway)),
      packs('deadletters', deadLettersSubject(site, gateway)),
    ]
    this.#events = new EventForwarder({
      source: lanes('events'),
      origin: { site, gateway, term: replica ? FIRST_TERM + 1 : FIRST_TERM },
      stream: STREAMS.events,
      ackTimeout: settings.ackTimeout,
      clock,
      events,
      overtaken,
      shared: replica || clearance !== undefined,
    })
  }

  /** Forwards events until `signal` aborts. `drained` is called once everything that was pending at the start is in the stream. */
  runEvents(session: CentralSession, attempts: Attempts, signal: AbortSignal, drained: () => void): Promise<void> {
    return this.#events.run(session, attempts, signal, drained)
  }

  /** Forwards readings and dead letters until `signal` aborts. */
  async runPacks(session: CentralSession, attempts: () => Attempts, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#packs.map((pack) => pack.run(session, attempts(), signal)))
  }
}
