import {
  deadLettersSubject,
  describeError,
  LANES,
  type Lane,
  type Millis,
  readingsSubject,
  STREAMS,
} from '../contract/index.ts'
import { type CentralDialer, type CentralSession, StreamMissingError, type StreamPlan } from '../link/index.ts'
import { Breaker, type BreakerSettings, type BreakerState, type Clock, pause, type Random } from '../runtime/index.ts'
import { Attempts } from './attempts.ts'
import { EventForwarder } from './event-forwarder.ts'
import type { ForwardEvents } from './events.ts'
import { publishLatest } from './latest.ts'
import { Pace, type PaceSettings } from './pace.ts'
import { PackForwarder, type PackSettings } from './pack-forwarder.ts'
import { redial } from './redial.ts'
import type { LaneSource } from './source.ts'

export interface ForwarderSettings {
  site: string
  gateway: string
  pack: PackSettings
  pace: PaceSettings & { jitter: Millis }
  breaker: BreakerSettings
  retry: { min: Millis; max: Millis }
  /** A link that claims to be up while the oldest pending record does not move for this long is dialled anew. */
  stallAfter: Millis
  /** Streams that are made when they are missing; empty where that is somebody else's task. */
  provision: readonly StreamPlan[]
}

export interface ForwarderParts {
  dialer: CentralDialer
  lane(lane: Lane): LaneSource
  /** The NDJSON line of the last reading of every series. */
  latest(): Iterable<string>
  settings: ForwarderSettings
  clock: Clock
  random: Random
  events: ForwardEvents
}

export interface ForwarderStatus {
  link: 'up' | 'down'
  /** Why it is down; null when up or never tried. */
  reason: string | null
  breaker: BreakerState
}

/** Fencing term of a gateway that forwards its own readings; a survivor that takes over uses a higher one. */
const OWN_TERM = 1
/** Pending events go first, but a slow link must not hold up the readings for longer than this. */
const EVENTS_FIRST: Millis = 300
const WATCH_EVERY: Millis = 1000

/**
 * Carries all lanes of one gateway to the centre.
 *
 *     down --dialled--> up --connection over, or stalled--> down ...       stop() --> stopped
 *
 * What happens after each dialling: pending events, then the last value of every series, then the backlog and what is
 * new, all lanes side by side.
 */
export class Forwarder {
  readonly #parts: ForwarderParts
  readonly #breaker: Breaker
  readonly #packs: readonly PackForwarder[]
  readonly #eventLane: EventForwarder
  readonly #stopping = new AbortController()
  #running: Promise<void> | null = null
  #status: { link: 'up' | 'down'; reason: string | null } = { link: 'down', reason: null }

  constructor(parts: ForwarderParts) {
    this.#parts = parts
    const { settings, clock, events } = parts
    const { site, gateway } = settings
    const now = (): Millis => clock.monotonic()
    this.#breaker = new Breaker(settings.breaker, now)
    const pace = new Pace(settings.pace, now)
    const packs = (lane: 'readings' | 'deadletters', subject: string): PackForwarder =>
      new PackForwarder({
        source: parts.lane(lane),
        target: { stream: STREAMS[lane], subject },
        term: OWN_TERM,
        settings: settings.pack,
        clock,
        pace,
        breaker: this.#breaker,
        events,
      })
    this.#packs = [
      packs('readings', readingsSubject(site, gateway)),
      packs('deadletters', deadLettersSubject(site, gateway)),
    ]
    this.#eventLane = new EventForwarder({
      source: parts.lane('events'),
      origin: { site, gateway, term: OWN_TERM },
      stream: STREAMS.events,
      ackTimeout: settings.pack.ackTimeout,
      clock,
      events,
    })
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the session and everything under way; what was not acknowledged is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  status(): ForwarderStatus {
    return { ...this.#status, breaker: this.#breaker.state }
  }

  async #run(): Promise<void> {
    const { dialer, clock, random, settings, events } = this.#parts
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const session = await redial(dialer, clock, random, settings.retry, signal, (error) =>
        this.#down(describeError(error)),
      )
      if (!session) break
      this.#breaker.succeeded()
      this.#status = { link: 'up', reason: null }
      events.linkUp()
      const reason = await this.#serve(session)
      this.#down(reason)
    }
  }

  #down(reason: string): void {
    const wasUp = this.#status.link === 'up'
    const news = reason !== this.#status.reason
    this.#status = { link: 'down', reason }
    if (wasUp || news) this.#parts.events.linkDown(reason)
  }

  /** One session from its beginning to its end; returns why it ended. */
  async #serve(session: CentralSession): Promise<string> {
    const { clock, random, settings, events } = this.#parts
    const over = new AbortController()
    const { signal } = over
    const end = (): void => over.abort()
    this.#stopping.signal.addEventListener('abort', end)
    if (this.#stopping.signal.aborted) end()
    let reason = 'stopped'
    const ended = session.closed.then((error) => {
      if (!this.#stopping.signal.aborted) reason = error ? describeError(error) : 'the connection was closed'
      end()
    })
    const attempts = (): Attempts =>
      new Attempts(session, (on, stream) => this.#provision(on, stream), this.#breaker, clock, random, settings.retry)

    await this.#prepare(session)

    let eventsDrained = (): void => {}
    const drained = new Promise<void>((resolve) => {
      eventsDrained = resolve
    })
    const work = [
      this.#eventLane.run(session, attempts(), signal, eventsDrained),
      this.#watch(signal, () => {
        reason = `nothing got through for ${settings.stallAfter} ms`
        void session.close()
      }),
    ]
    await Promise.race([drained, pause(clock, EVENTS_FIRST, signal)])
    work.push(this.#latest(session, signal).catch((error: unknown) => events.troubled('latest', error)))
    await pause(clock, random.next() * settings.pace.jitter, signal)
    for (const pack of this.#packs) work.push(pack.run(session, attempts(), signal))
    await Promise.all(work)
    this.#stopping.signal.removeEventListener('abort', end)
    await session.close()
    await ended
    return reason
  }

  async #latest(session: CentralSession, signal: AbortSignal): Promise<void> {
    const { settings, latest, lane } = this.#parts
    const { site, gateway, pack } = settings
    if (signal.aborted) return
    const origin = { site, gateway, epoch: lane('readings').epoch }
    try {
      await publishLatest(session, origin, latest(), pack.ackTimeout)
    } catch (error) {
      await this.#provision(session, STREAMS.latest)
      await publishLatest(session, origin, latest(), pack.ackTimeout).catch(() => {
        throw error
      })
    }
  }

  /** Makes the streams that are missing, so that the first session of a new site starts without trouble. */
  async #prepare(session: CentralSession): Promise<void> {
    const { settings } = this.#parts
    const missing = settings.provision.map(async ({ name }) => {
      try {
        await session.facts(name, settings.pack.ackTimeout)
      } catch (error) {
        // Anything else comes up again where it matters, and is reported there.
        if (error instanceof StreamMissingError) await this.#provision(session, name)
      }
    })
    await Promise.all(missing)
  }

  async #provision(session: CentralSession, stream: string): Promise<void> {
    const { settings, events } = this.#parts
    const plan = settings.provision.find(({ name }) => name === stream)
    if (!plan) return
    try {
      await session.provision(plan, settings.pack.ackTimeout)
    } catch (error) {
      events.troubled(LANES.find((lane) => STREAMS[lane] === stream) ?? 'latest', error)
    }
  }

  /** Calls `stalled` when something is pending and nothing moved for too long although the link seems up. */
  async #watch(signal: AbortSignal, stalled: () => void): Promise<void> {
    const { clock, settings, lane } = this.#parts
    const moved = new Map(LANES.map((name) => [name, { next: lane(name).cursor.next, at: clock.monotonic() }]))
    while (!signal.aborted) {
      await pause(clock, WATCH_EVERY, signal)
      for (const name of LANES) {
        const { cursor, head } = lane(name)
        const before = moved.get(name)
        if (!before || before.next !== cursor.next || cursor.next >= head)
          moved.set(name, { next: cursor.next, at: clock.monotonic() })
        else if (clock.monotonic() - before.at > settings.stallAfter) {
          stalled()
          return
        }
      }
    }
  }
}
