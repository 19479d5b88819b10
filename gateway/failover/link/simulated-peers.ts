import type { Millis } from '../../../sync/contract/index.ts'
import { type Clock, pause, type Random } from '../../../sync/runtime/index.ts'
import { PeerDialError } from './errors.ts'
import type { PeerDialer, PeerHandler, PeerHost, PeerSession } from './peers.ts'
import { SimulatedSession } from './simulated-session.ts'

/** The way by which one gateway dials another, with the sessions that it dialled. */
interface Way {
  readonly from: string
  readonly to: string
  cut: boolean
  delay: Millis
  /** The newest session, whatever has become of it. */
  session: SimulatedSession | null
}

/**
 * The network between the gateways of a simulated site. Within a session messages keep their order and none is lost; when one
 * breaks, the first few of those on the way arrive, the rest does not, and the ends notice in their own time. Everything is
 * drawn from `random` and timed by `clock`: the same seed gives the same site.
 *
 * Faults are of one direction, "the sessions that `from` dials to `to`": two gateways that cannot see each other are cut
 * in both.
 */
export class SimulatedPeers {
  readonly #clock: Clock
  readonly #random: Random
  readonly #ways: Way[] = []
  readonly #handlers = new Map<string, PeerHandler>()
  /** A message takes this long, or up to twice. */
  latency: Millis = 1
  /** Longest time until an end of a session that was cut notices, and until dialling into a cut fails. */
  noticing: Millis = 1000

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  dialer(name: string): PeerDialer {
    return { dial: (peer, signal) => this.#dial(name, peer, signal) }
  }

  host(name: string): PeerHost {
    return { serve: (handler) => this.#handlers.set(name, handler) }
  }

  /** Cuts a cable, as it were: sessions die without a word, and there are no new ones. */
  cut(from: string, to: string): void {
    const way = this.#way(from, to)
    way.cut = true
    way.session?.sever(this.noticing)
  }

  heal(from: string, to: string): void {
    this.#way(from, to).cut = false
  }

  /** Breaks the sessions that there are; both ends notice at once. New ones are possible. */
  drop(from: string, to: string): void {
    this.#way(from, to).session?.sever(this.latency)
  }

  /** From now on messages of these sessions, and the answers to them, take so much longer. */
  delay(from: string, to: string, delay: Millis): void {
    this.#way(from, to).delay = delay
  }

  /** The process of a gateway ends: its sessions are over, and nobody serves there until somebody does again. */
  stop(name: string): void {
    this.#handlers.delete(name)
    for (const { from, to, session } of this.#ways) {
      if (session === null) continue
      if (from === name) session.endDialler(stopped())
      if (to === name) session.hosted.end(stopped())
      if (from === name || to === name) session.sever(this.latency)
    }
  }

  async #dial(from: string, to: string, signal: AbortSignal): Promise<PeerSession> {
    const way = this.#way(from, to)
    await pause(this.#clock, way.cut ? this.#random.next() * this.noticing : this.#travel(way), signal)
    const handler = this.#handlers.get(to)
    if (signal.aborted || way.cut || handler === undefined) throw new PeerDialError(to, 'it cannot be reached')
    way.session?.hosted.end(replaced())
    way.session?.sever(this.latency)
    const session = new SimulatedSession(from, to, this.#clock, this.#random, () => this.#travel(way))
    way.session = session
    handler.opened(from, session.hosted)
    const giveUp = (): void => void session.close()
    signal.addEventListener('abort', giveUp)
    const stands = await session.whenAnswered()
    signal.removeEventListener('abort', giveUp)
    if (!stands) throw new PeerDialError(to, 'the connection broke')
    return session
  }

  #travel({ delay }: Way): Millis {
    return this.latency * (1 + this.#random.next()) + delay
  }

  #way(from: string, to: string): Way {
    const known = this.#ways.find((way) => way.from === from && way.to === to)
    if (known !== undefined) return known
    const way: Way = { from, to, cut: false, delay: 0, session: null }
    this.#ways.push(way)
    return way
  }
}

const stopped = (): Error => new Error('the gateway has stopped')
const replaced = (): Error => new Error('the peer has dialled anew')
