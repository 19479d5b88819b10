import { LANES } from '../contract/index.ts'
import type { CentralSession } from '../link/index.ts'
import type { Attempts } from './attempts.ts'
import { type Origin, OriginLanes, type SharedTools } from './origin.ts'

/** A peer's lanes that are forwarded for it. */
export interface Carried {
  /** Whether everything that was copied of them is in the stream. */
  readonly drained: boolean
  /**
   * Ends it. When it resolves, nothing of it is on its way as far as can be known: every message was answered, or its time is over and
   * nobody knows what became of it.
   */
  stop(): Promise<void>
}

/** One session, as far as whoever works on it has to know. */
export interface Link {
  session: CentralSession
  attempts(): Attempts
  /** Aborts when the session is over. */
  signal: AbortSignal
}

/**
 * Forwards the lanes of another origin on every session of the link, until it is stopped.
 *
 *     waiting --session--> carrying --session over--> waiting ...        stop(), from both --> over
 */
export class Carriage implements Carried {
  readonly #origin: Origin
  readonly #lanes: OriginLanes
  readonly #stopping = new AbortController()
  readonly #ended: (carriage: Carriage) => void
  #running: Promise<void> = Promise.resolve()

  constructor(origin: Origin, shared: SharedTools, ended: (carriage: Carriage) => void) {
    this.#origin = origin
    this.#lanes = new OriginLanes(origin, shared)
    this.#ended = ended
  }

  get drained(): boolean {
    return LANES.every((lane) => {
      const { cursor, durable } = this.#origin.lanes(lane)
      return cursor.next >= durable
    })
  }

  /** Begins on a session; the one before must be over. */
  begin({ session, attempts, signal: over }: Link): void {
    const signal = AbortSignal.any([over, this.#stopping.signal])
    const work = [
      this.#lanes.runEvents(session, attempts(), signal, () => undefined),
      this.#lanes.runPacks(session, attempts, signal),
    ]
    this.#running = Promise.all(work).then(() => undefined)
  }

  /** Resolves when nothing runs on the session that is over. */
  async settled(): Promise<void> {
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#ended(this)
  }
}
