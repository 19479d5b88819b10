import { LANES, type Lane, type Millis } from '../../sync/contract/index.ts'
import { type Carried, type Clearance, type Forwarder, survivorStanding } from '../../sync/forward/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import { epochOf, gatewayOf, type ReplicaAccess } from '../outbox/index.ts'
import type { Copies } from './copies.ts'
import type { FailoverEvents } from './events.ts'
import type { Replicas } from './replicas.ts'
import type { Twins } from './twins.ts'

/**
 * How an origin is forwarded on its own chains; given by the forwarder.
 *
 * @param stoodDown somebody else forwards it
 */
export type Carry = (origin: Parameters<Forwarder['carry']>[0], stoodDown: () => unknown) => Carried

interface Parts {
  clock: Clock
  takeoverAfter: Millis
  replicas: Replicas
  twins: Twins
  events: FailoverEvents
  carry: Carry
  machine: { adopt(origin: string, now: Millis): void; handBack(origin: string): void }
  /** Decides which readings of a replica stay behind. */
  copies(replica: ReplicaAccess, isLive: (origin: string) => boolean): Copies
  /** Clears what is sent in place of a gateway. */
  clearance(absent: string, decide: () => Promise<boolean>): Clearance
}

interface Peer {
  /** Under which epoch it was heard last; null before. */
  epoch: string | null
  present: boolean
  silentSince: Millis
}

/** How long after standing down a takeover is tried again, in times of `takeoverAfter`. */
const PATIENCE = 6

/**
 * Forwards in place of peers that are silent, and decides their alarms.
 *
 *     theirs --silent for takeoverAfter--> ours --it is back--> theirs
 *                                           |  \--outbid by a higher term--> theirs, for a while
 *                                           +--of an epoch that its gateway has left, and all is in the stream--> dropped
 */
export class Takeover {
  readonly #parts: Parts
  readonly #peers = new Map<string, Peer>()
  readonly #taken = new Map<string, Carried>()
  /** Origins whose alarms are decided here. */
  readonly #adopted = new Set<string>()
  readonly #notBefore = new Map<string, Millis>()
  #busy: Promise<void> = Promise.resolve()

  constructor(parts: Parts, peers: readonly string[]) {
    this.#parts = parts
    const now = parts.clock.monotonic()
    for (const peer of peers) this.#peers.set(peer, { epoch: null, present: false, silentSince: now })
  }

  /** Origins that are forwarded here. */
  get taken(): readonly string[] {
    return [...this.#taken.keys()]
  }

  /** Gateways whose alarms are decided here. */
  get adopted(): ReadonlySet<string> {
    return new Set([...this.#adopted].map((origin) => origin.slice(0, origin.lastIndexOf('/'))))
  }

  /** Records of origins that nobody else forwards, as far as is known, and that the centre does not have. */
  open(): number {
    const { replicas } = this.#parts
    return replicas.all
      .filter(({ gateway, epoch }) => {
        const peer = this.#peers.get(gateway)
        return !peer?.present || peer.epoch !== epoch
      })
      .flatMap((replica) => LANES.map((lane) => replica.lane(lane)))
      .reduce((sum, { cursor, head }) => sum + Math.max(0, head - cursor.next), 0)
  }

  /** Looks what is to be taken over, or given back; one look at a time. */
  look(): Promise<void> {
    this.#busy = this.#busy
      .then(() => this.#look())
      .catch((error: unknown) => this.#parts.events.troubled('takeover', error))
    return this.#busy
  }

  /** The peer is here, under this epoch; resolves when nothing of that origin is on its way from here any more. */
  async arrived(peer: string, epoch: string): Promise<void> {
    const known = this.#peers.get(peer)
    if (known) Object.assign(known, { epoch, present: true })
    this.#notBefore.delete(`${peer}/${epoch}`)
    await this.#busy
    // Under whichever epoch they spoke to it: it decides them again.
    for (const origin of this.#adopted) if (gatewayOf(origin) === peer) this.#handBack(origin)
    await this.#giveBack(`${peer}/${epoch}`)
  }

  /** @param at once: it has said that it goes, nobody has to wait whether it is silent */
  left(peer: string, atOnce: boolean): void {
    const known = this.#peers.get(peer)
    // It has been silent before: an attempt to reach it that failed does not make that shorter.
    if (!known || !(known.present || atOnce)) return
    known.present = false
    known.silentSince = this.#parts.clock.monotonic() - (atOnce ? this.#parts.takeoverAfter : 0)
  }

  async stop(): Promise<void> {
    await this.#busy
    for (const carried of this.#taken.values()) await carried.stop()
    this.#taken.clear()
  }

  async #look(): Promise<void> {
    const { clock, replicas, twins, takeoverAfter } = this.#parts
    const now = clock.monotonic()
    for (const replica of replicas.all) {
      const peer = this.#peers.get(replica.gateway)
      const isCurrent = peer?.epoch === null || peer?.epoch === replica.epoch
      const isSilent = peer !== undefined && !peer.present && now - peer.silentSince >= takeoverAfter
      const isOrphan = peer === undefined || (!isCurrent && (peer.present || isSilent))
      const pending = LANES.some((lane) => replica.lane(lane).cursor.next < replica.lane(lane).head)
      if (isSilent && isCurrent) this.#adopt(replica.origin)
      const isTaken = this.#taken.has(replica.origin)
      if (isOrphan && !pending) {
        await this.#giveBack(replica.origin)
        twins.gone(replica.origin, (offset) => replica.isMissing(offset))
        await replicas.drop(replica.origin)
      } else if (!isTaken && (isSilent || isOrphan) && now >= (this.#notBefore.get(replica.origin) ?? 0))
        this.#take(replica)
    }
  }

  /** Alarms are decided on site, whether or not the centre can be reached. */
  #adopt(origin: string): void {
    const { machine, clock, events } = this.#parts
    if (this.#adopted.has(origin)) return
    this.#adopted.add(origin)
    machine.adopt(origin, clock.now())
    events.tookOver(origin)
  }

  #take(replica: ReplicaAccess): void {
    const { carry, copies, clearance } = this.#parts
    const { origin, gateway } = replica
    const decider = copies(replica, (other) => this.#isLive(other))
    const lanes = (lane: Lane): ReturnType<typeof replica.lane> => replica.lane(lane)
    const cleared = clearance(gateway, () => decider.decide())
    const carried = carry({ gateway, lanes, standing: survivorStanding, clearance: cleared }, () =>
      this.#standDown(origin),
    )
    this.#taken.set(origin, carried)
  }

  async #standDown(origin: string): Promise<void> {
    const { clock, takeoverAfter, events } = this.#parts
    this.#notBefore.set(origin, clock.monotonic() + takeoverAfter * PATIENCE)
    events.stoodDown(origin)
    await this.#stopCarrying(origin)
  }

  async #giveBack(origin: string): Promise<void> {
    const wasAdopted = this.#handBack(origin)
    if ((await this.#stopCarrying(origin)) && !wasAdopted) this.#parts.events.gaveBack(origin)
  }

  /** Its alarms are decided by its gateway again. @returns false when they were not decided here */
  #handBack(origin: string): boolean {
    const { machine, events } = this.#parts
    if (!this.#adopted.delete(origin)) return false
    machine.handBack(origin)
    events.gaveBack(origin)
    return true
  }

  async #stopCarrying(origin: string): Promise<boolean> {
    const carried = this.#taken.get(origin)
    this.#taken.delete(origin)
    await carried?.stop()
    return carried !== undefined
  }

  #isLive(origin: string): boolean {
    const peer = this.#peers.get(gatewayOf(origin))
    return peer?.present === true && peer.epoch === epochOf(origin)
  }
}
