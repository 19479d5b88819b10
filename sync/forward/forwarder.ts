import { describeError, LANES, type Lane, type Millis, STREAMS } from '../contract/index.ts'
import { type CentralDialer, type CentralSession, StreamMissingError, type StreamPlan } from '../link/index.ts'
import { Breaker, type BreakerSettings, type BreakerState, type Clock, pause, type Random } from '../runtime/index.ts'
import { Attempts } from './attempts.ts'
import { Carriage, type Carried, type Link } from './carriage.ts'
import type { Clearance } from './clearance.ts'
import type { Overtaken } from './event-forwarder.ts'
import type { ForwardEvents } from './events.ts'
import { publishLatest } from './latest.ts'
import { type Origin, OriginLanes, type SharedTools } from './origin.ts'
import { Pace, type PaceSettings } from './pace.ts'
import type { PackSettings } from './pack-forwarder.ts'
import { redial } from './redial.ts'
import type { LaneSource } from './source.ts'
import { ownerStanding } from './standing.ts'

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
  /** Decides which of this gateway's readings may leave; without one, all may. */
  clearance?: Clearance
  /** An event's number was taken by another gateway that knew nothing of this one. */
  overtaken?: Overtaken
}

export interface ForwarderStatus {
  link: 'up' | 'down'
  /** Why it is down; null when up or never tried. */
  reason: string | null
  breaker: BreakerState
}

/** Pending events go first, but a slow link must not hold up the readings for longer than this. */
const EVENTS_FIRST: Millis = 300
const WATCH_EVERY: Millis = 1000

/**
 * Carries all lanes of one gateway to the centre, and for some time those of others (`carry`).
 *
 *     down --dialled--> up --connection over, or stalled--> down ...       stop() --> stopped
 *
 * What happens after each dialling: pending events, then the last value of every series, then the backlog and what is
 * new, all lanes side by side.
 */
export class Forwarder {
  readonly #parts: ForwarderParts
  readonly #breaker: Breaker
  readonly #shared: SharedTools
  readonly #own: OriginLanes
  readonly #carried = new Set<Carriage>()
  /** The session that carries all lanes; null when there is none, or not yet. */
  #link: Link | null = null
  readonly #stopping = new AbortController()
  #running: Promise<void> | null = null
  #status: { link: 'up' | 'down'; reason: string | null } = { link: 'down', reason: null }

  constructor(parts: ForwarderParts) {
    this.#parts = parts
    const { settings, clock, events, clearance, overtaken } = parts
    const { site, gateway, pack } = settings
    const now = (): Millis => clock.monotonic()
    this.#breaker = new Breaker(settings.breaker, now)
    const pace = new Pace(settings.pace, now)
    this.#shared = { site, pack, clock, pace, breaker: this.#breaker, events, overtaken }
    const lanes = (lane: Lane): LaneSource => parts.lane(lane)
    this.#own = new OriginLanes({ gateway, lanes, standing: ownerStanding, replica: false, clearance }, this.#shared)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the session and everything under way; what was not acknowledged is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /**
   * Forwards the lanes of another gateway on its own chains, on this session and those that follow.
   *
   * @param events hears of these lanes instead of the one that hears of this gateway's own
   */
  carry(origin: Omit<Origin, 'replica'>, events: ForwardEvents = this.#parts.events): Carried {
    const shared = { ...this.#shared, events }
    const carriage = new Carriage({ ...origin, replica: true }, shared, (ended) => this.#carried.delete(ended))
    this.#carried.add(carriage)
    if (this.#link) carriage.begin(this.#link)
    return carriage
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
      this.#own.runEvents(session, attempts(), signal, eventsDrained),
      this.#watch(signal, () => {
        reason = `nothing got through for ${settings.stallAfter} ms`
        void session.close()
      }),
    ]
    await Promise.race([drained, pause(clock, EVENTS_FIRST, signal)])
    work.push(this.#latest(session, signal).catch((error: unknown) => events.troubled('latest', error)))
    await pause(clock, random.next() * settings.pace.jitter, signal)
    work.push(this.#own.runPacks(session, attempts, signal))
    this.#link = { session, attempts, signal }
    for (const carriage of this.#carried) carriage.begin(this.#link)
    await Promise.all(work)
    this.#link = null
    await Promise.all([...this.#carried].map((carriage) => carriage.settled()))
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
