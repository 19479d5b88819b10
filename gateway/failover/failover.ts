import {
  LANES,
  type Lane,
  type Millis,
  type Offset,
  RetryableError,
  StopAcceptingError,
  type ThresholdEvent,
} from '../../sync/contract/index.ts'
import type { Clearance } from '../../sync/forward/index.ts'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import type { Journal } from '../ingest/index.ts'
import type { Durability } from '../ingest/topics/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { NamedRules, StateMachine } from '../state/index.ts'
import { PeerChains } from './chains.ts'
import { Clearing } from './clearing.ts'
import { Copies } from './copies.ts'
import { Downlink } from './downlink.ts'
import { alone, ReplicatedDurability } from './durability.ts'
import type { FailoverCounter, FailoverEvents } from './events.ts'
import { Fencing } from './fencing.ts'
import { linesBetween } from './lines.ts'
import type { PeerDialer, PeerHost } from './link/index.ts'
import { Notices } from './notices.ts'
import { OwnLanes } from './own-lanes.ts'
import { Presence } from './presence.ts'
import type { SharedRules } from './protocol.ts'
import { ProxyClearance } from './proxy.ts'
import { Replicas } from './replicas.ts'
import type { FailoverStatus, PeerStatus } from './status.ts'
import { type Carry, Takeover } from './takeover.ts'
import { Twins } from './twins.ts'
import { Uplink } from './uplink.ts'

export interface FailoverSettings {
  site: string
  gateway: string
  /** Names of the other gateways of the site. */
  peers: readonly string[]
  durability: Durability
  whenAlone: 'degrade' | 'refuse'
  heartbeat: Millis
  awayAfter: Millis
  takeoverAfter: Millis
  ackTimeout: Millis
}

export interface FailoverParts {
  settings: FailoverSettings
  dialer: PeerDialer
  outbox: Outbox
  machine: StateMachine
  clock: Clock
  random: Random
  events: FailoverEvents
  count(counter: FailoverCounter, by?: number): void
  /** Makes events durable that were decided here without a reading of the own lane. */
  tell(events: readonly ThresholdEvent[]): void
}

/** Waits between attempts to reach a peer. */
const RETRY = { min: 50, max: 1000 }

/** What this gateway knows of one peer. */
interface Peer {
  uplink: Uplink
  downlink: Downlink | null
  presence: Presence
  /** How far it has the own lanes. */
  stored: Readonly<Record<Lane, Offset>>
  /** It has said that it goes. */
  leaving: boolean
  /** Why it is away, as far as that was told: it is dialled every second, for days if need be. */
  told: Set<string>
}

/**
 * Two or more gateways as one: each has the others' lanes, each knows of copies before its own readings leave, each
 * takes over when another is silent (ADR 16).
 */
export class Failover {
  readonly durability: ReplicatedDurability
  readonly #parts: FailoverParts
  readonly #twins: Twins
  readonly #lanes: OwnLanes
  readonly #clearing: Clearing
  readonly #replicas: Replicas
  readonly #chains: PeerChains
  readonly #fencing: Fencing
  readonly #peers = new Map<string, Peer>()
  readonly #stopping = new AbortController()
  #takeover: Takeover | null = null
  readonly #notices: Notices
  /** Peers decide here: nothing is taken in. */
  #left = false
  #running: Promise<unknown> = Promise.resolve()
  #stopLook: () => void = () => {}

  private constructor(parts: FailoverParts) {
    this.#parts = parts
    const { outbox, settings, clock, random, events, count } = parts
    const { site, gateway, peers, ackTimeout } = settings
    this.#twins = new Twins(outbox)
    this.#lanes = new OwnLanes(outbox, this.#twins)
    this.#clearing = new Clearing(
      {
        gateway,
        peers,
        head: () => outbox.durable('readings'),
        settled: () => this.#lanes.settled,
        read: (from, to) => ownLines(outbox, from, to),
        skip: (offset) => outbox.declareRepeated(offset),
        forwarded: (origin) => this.#replicas.get(origin)?.lane('readings').cursor.next ?? 0,
        isMissing: (origin, offset) => this.#replicas.get(origin)?.isMissing(offset) ?? false,
        durable: () => this.#durable(),
        release: (limit) => outbox.holdBack(limit),
        failed: (error) => events.troubled('clearing', error),
      },
      this.#twins,
    )
    this.#replicas = new Replicas({
      store: outbox,
      machine: parts.machine,
      twins: this.#twins,
      tell: parts.tell,
      foundTwin: () => this.#lanes.foundTwin(this.#clearing.released),
      grew: (origin, lane) => {
        if (lane === 'readings') this.#passBarriers(origin)
      },
    })
    this.#chains = new PeerChains({
      site,
      gateway,
      ackTimeout,
      clearing: this.#clearing,
      replicas: this.#replicas,
      twins: this.#twins,
      clock,
      durable: () => this.#durable(),
      filled: events.filled,
    })
    this.#fencing = new Fencing({
      peers,
      clearing: this.#clearing,
      chains: this.#chains,
      clock,
      random,
      answers: (peer) => this.#answers(peer),
      doubt: (peer) => this.#peers.get(peer)?.presence.doubt(),
      read: (peer) => this.#chainRead(peer),
      troubled: events.troubled,
    })
    this.durability = new ReplicatedDurability(
      {
        whenDurable: (callback) => outbox.whenDurable(callback),
        durable: (lane) => outbox.durable(lane),
        answeredAlone: (refused, publishes) => count(refused ? 'failover.refused' : 'failover.alone', publishes),
      },
      settings.whenAlone,
    )
    this.journal = this.#journal()
    const { awayAfter, takeoverAfter } = settings
    this.#notices = new Notices({ machine: parts.machine, clock, tell: parts.tell, awayAfter, takeoverAfter })
    for (const peer of peers) this.#peers.set(peer, this.#meet(peer))
  }

  /** Takes up what there is of other gateways; nothing moves until `start`. */
  static async open(parts: FailoverParts): Promise<Failover> {
    const failover = new Failover(parts)
    failover.#twins.restore((await parts.outbox.twins()).values())
    await failover.#replicas.open()
    return failover
  }

  /**
   * Where what is taken in becomes as durable as it has to be. What is asked for without saying how durable follows the
   * configuration.
   */
  readonly journal: Journal

  /** @param carry how the forwarder carries another origin */
  start(host: PeerHost, carry: Carry): void {
    const { settings, outbox, machine, clock, random, events, count } = this.#parts
    const { gateway, peers, awayAfter, heartbeat, takeoverAfter } = settings
    const takeover = new Takeover(
      {
        clock,
        takeoverAfter,
        replicas: this.#replicas,
        twins: this.#twins,
        events: {
          ...events,
          tookOver: (origin) => {
            count('failover.takeovers')
            events.tookOver(origin)
          },
        },
        carry,
        machine,
        copies: (replica, isLive) =>
          new Copies(
            {
              twins: this.#twins,
              clearing: this.#clearing,
              replicas: this.#replicas,
              isLive,
              own: {
                tail: () => outbox.lane('readings').tail,
                settled: () => this.#lanes.settled,
                read: (from, to) => ownLines(outbox, from, to),
              },
            },
            replica,
          ),
        clearance: (absent, decide) =>
          new ProxyClearance({
            gateway,
            absent,
            others: peers.filter((peer) => peer !== absent),
            chains: this.#chains,
            decide,
            durable: () => this.#durable(),
            clock,
            random,
            troubled: events.troubled,
          }),
      },
      peers,
    )
    this.#takeover = takeover
    host.serve({
      opened: (peer, session) => {
        const known = this.#peers.get(peer)
        if (!known) {
          session.close()
          return
        }
        known.downlink?.close('a newer session')
        known.downlink = new Downlink({
          session,
          clock,
          awayAfter,
          host: this.#downlinkHost(takeover),
          up: () => {
            known.presence.session('down', true)
            this.#presenceChanged(peer, '')
          },
          down: (_, reason) => {
            known.presence.session('down', false)
            takeover.left(peer, false)
            this.#presenceChanged(peer, reason)
          },
        })
      },
    })
    outbox.onBlocks(() => this.#clearing.advance())
    const look = (): void => {
      this.#stopLook = clock.after(heartbeat, look)
      if (outbox.accepting) this.#notices.look(this.status())
      void takeover.look()
    }
    look()
    const { signal } = this.#stopping
    this.#running = Promise.all([...this.#peers.values()].map(({ uplink }) => uplink.run(signal)))
  }

  /** Readings here of gateways that are silent, or have begun a new epoch, and that the centre does not have. */
  replicasOfTheGone(): number {
    return this.#takeover?.open() ?? 0
  }

  /** Decides which of the own readings may leave. */
  get clearance(): Clearance {
    return this.#fencing
  }

  /** The own rule sets changed: peers are to have them too. */
  rulesChanged(): void {
    for (const { uplink } of this.#peers.values()) uplink.shareRules()
  }

  status(): FailoverStatus {
    const { settings, outbox } = this.#parts
    const peers = [...this.#peers].map(([gateway, { uplink, presence, stored, leaving }]): PeerStatus => {
      const lanes = this.#replicas.all
        .filter((replica) => replica.gateway === gateway)
        .map((replica) => replica.lane('readings'))
      return {
        gateway,
        present: presence.present,
        inStep: uplink.inStep,
        behind: LANES.reduce((sum, lane) => sum + Math.max(0, outbox.durable(lane) - stored[lane]), 0),
        holds: lanes.reduce((sum, lane) => sum + Math.max(0, lane.head - lane.cursor.next), 0),
        takenOver: this.#takeover?.adopted.has(gateway) ?? false,
        leaving,
        refusal: uplink.refusal,
      }
    })
    const degraded = settings.durability === 'replicated' && this.durability.alone
    return { durability: settings.durability, degraded, refuses: degraded && this.durability.refuses, peers }
  }

  /** Everything that decides what may leave, for whoever looks for what holds it up. */
  describe(): unknown {
    const peers = [...this.#peers].map(([peer, { presence, stored }]) => {
      const { present, answers, unread, waiting } = presence
      return { peer, present, answers, unread, waiting, stored, standing: this.#clearing.standing(peer) }
    })
    const replicas = this.#replicas.all.map((replica) => {
      const { head, cursor } = replica.lane('readings')
      return { origin: replica.origin, head, next: cursor.next }
    })
    const { released } = this.#clearing
    return {
      released,
      settled: this.#lanes.settled,
      sureFrom: this.#lanes.sureFrom,
      peers,
      replicas,
      taken: this.#takeover?.taken,
    }
  }

  /** Whether the peer is there to take devices, and has everything that was taken in here, durable or not. */
  hasAll(peer: string): boolean {
    const known = this.#peers.get(peer)
    if (!known?.presence.present || known.leaving || !known.uplink.inStep) return false
    return LANES.every((lane) => known.stored[lane] >= this.#parts.outbox.next(lane))
  }

  /** Nothing is taken in from now on, until `comeBack`: it would be of no peer's. */
  rest(): void {
    this.#left = true
  }

  /** Peers take over at once, although this gateway runs on; resolves when those that are there have heard. */
  async leave(): Promise<void> {
    this.#left = true
    await Promise.all([...this.#peers.values()].map(({ uplink }) => uplink.leave()))
  }

  /** Takes back what was left to the peers. */
  comeBack(): void {
    if (!this.#left) return
    this.#left = false
    this.#listenAgain()
    for (const { uplink } of this.#peers.values()) uplink.dialAnew()
  }

  /** Says goodbye, so that peers take over at once, and ends all sessions. */
  async stop(): Promise<void> {
    this.#stopLook()
    await Promise.all([...this.#peers.values()].map(({ uplink }) => uplink.leave()))
    this.#stopping.abort()
    await this.#running
    for (const { downlink } of this.#peers.values()) downlink?.close('this gateway stops')
    await this.#takeover?.stop()
    await this.#clearing.idle()
  }

  /** Nothing was taken in for a while: that is no silence of the devices. */
  #listenAgain(): void {
    const { machine, clock } = this.#parts
    machine.resume(clock.now())
  }

  #journal(): Journal {
    const { outbox, settings } = this.#parts
    const { durability } = this
    const isGone = (): boolean => this.#left
    const refuses = (): boolean => settings.durability === 'replicated' && durability.refuses
    return {
      get accepting() {
        return outbox.accepting && !isGone() && !refuses()
      },
      refusal: () => (isGone() ? handedOver() : refuses() ? alone() : outbox.refusal()),
      append: (lane, line) => outbox.append(lane, line),
      reserve: (lane, most) => outbox.reserve(lane, most),
      appendReserved: (lane) => outbox.appendReserved(lane),
      get commit() {
        return outbox.commit
      },
      whenDurable: (callback, how = settings.durability, publishes) => durability.whenDurable(how, callback, publishes),
    }
  }

  #meet(peer: string): Peer {
    const { settings, dialer, clock, random, outbox, machine, events } = this.#parts
    const { heartbeat, awayAfter } = settings
    const presence = new Presence()
    const known: Peer = {
      presence,
      downlink: null,
      stored: { readings: 0, events: 0, deadletters: 0 },
      leaving: false,
      told: new Set(),
      uplink: new Uplink({
        peer,
        dialer,
        settings: { heartbeat, awayAfter, retry: RETRY },
        clock,
        random,
        host: {
          ...this.#lanes.copied(),
          site: settings.site,
          gateway: settings.gateway,
          rules: () => Object.fromEntries(machine.ruleSets),
          known: () => machine.known(),
          startEpoch: async () => {
            if (!this.#clearing.located)
              throw new RetryableError('OWN_CHAIN_UNKNOWN', 'the centre has to say first what it has of this gateway')
            await outbox.lane('readings').startEpoch()
          },
        },
        events: {
          up: () => {
            presence.session('up', true)
            // It took the hello for a return.
            if (this.#left) void known.uplink.leave()
            this.#presenceChanged(peer, '')
          },
          inStep: () => {
            if (this.durability.refuses) this.#listenAgain()
            events.inStep(peer)
          },
          stored: (_, { next, epoch, head, settled, skipped }) => {
            known.stored = next
            if (known.uplink.inStep) this.durability.stored(peer, next)
            const origin = `${peer}/${epoch}`
            const change = presence.said(
              settled === null ? null : { origin, next: next.readings, head, settled, skipped },
            )
            // Once: a fence serves until the peer writes behind it, and then this gateway hears of that on its own chain.
            if (change === 'lost') this.#fencing.lost(peer)
            // It decides with this one again: the fence, which it need not have seen, says nothing any more.
            if (change === 'regained') this.#clearing.stand(peer, { kind: 'present', passed: 0 })
            this.#passBarriers(origin)
          },
          down: (_, reason) => {
            presence.session('up', false)
            this.durability.lost(peer)
            this.#presenceChanged(peer, reason)
          },
        },
      }),
    }
    return known
  }

  #downlinkHost(takeover: Takeover): ConstructorParameters<typeof Downlink>[0]['host'] {
    const { settings, outbox, machine, clock, tell } = this.#parts
    return {
      site: settings.site,
      gateway: settings.gateway,
      epoch: () => this.#lanes.epoch,
      get accepting() {
        return outbox.accepting
      },
      refusal: () => outbox.refusal(),
      arrived: async (peer, epoch) => {
        await takeover.arrived(peer, epoch)
        const known = this.#peers.get(peer)
        const isOther = this.#replicas.all.some((replica) => replica.gateway === peer && replica.epoch !== epoch)
        if (known) known.leaving = false
        if (isOther) known?.presence.doubt()
        return this.#replicas.keeper(`${peer}/${epoch}`)
      },
      whenDurable: (callback) => outbox.whenDurable(callback),
      clearing: () => this.#lanes.standing(),
      mergeRules: (sets: Record<string, SharedRules>) =>
        tell(machine.mergeRules(new Map<string, NamedRules>(Object.entries(sets)), clock.now())),
      leaving: (peer) => {
        const known = this.#peers.get(peer)
        if (known) known.leaving = true
        takeover.left(peer, true)
        void takeover.look()
      },
    }
  }

  /** What it says decides what may leave; otherwise it has to be fenced. */
  #answers(peer: string): boolean {
    return this.#peers.get(peer)?.presence.answers === true
  }

  #presenceChanged(peer: string, reason: string): void {
    const { events, count } = this.#parts
    const known = this.#peers.get(peer)
    if (!known) return
    const { presence, told } = known
    if (presence.present) {
      // Nothing that it knows of the own readings is known yet: more leaves when it has answered.
      this.#clearing.stand(peer, { kind: 'present', passed: 0 })
      if (presence.unread) this.#fencing.lost(peer)
      for (const origin of presence.origins) this.#passBarriers(origin)
      told.clear()
      events.peerPresent(peer)
      return
    }
    if (reason === '' || this.#stopping.signal.aborted) return
    const { kind } = this.#clearing.standing(peer)
    // A fence serves until the peer writes behind it, however often it is dialled in vain.
    if (kind !== 'fenced') this.#fencing.lost(peer)
    if (kind === 'present') count('failover.peersLost')
    if (told.has(reason)) return
    told.add(reason)
    events.peerAway(peer, reason)
  }

  /** Its chain was read to the end, and fenced. */
  #chainRead(peer: string): void {
    const presence = this.#peers.get(peer)?.presence
    if (!presence?.unread) return
    presence.chainRead()
    if (presence.answers) this.#clearing.stand(peer, { kind: 'present', passed: 0 })
  }

  /** Lets go what the peers have passed, as far as their lanes are here. */
  #passBarriers(origin: string): void {
    const head = this.#replicas.get(origin)?.lane('readings').head ?? 0
    for (const [peer, { presence }] of this.#peers) {
      const passed = presence.pass(origin, head)
      if (!passed) continue
      this.#replicas.skipped(origin, passed.skipped)
      this.#clearing.left(origin, passed.settled)
      this.#clearing.stand(peer, { kind: 'present', passed: passed.next })
    }
  }

  #durable(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#parts.outbox.whenDurable((error) => (error ? reject(error) : resolve())),
    )
  }
}

/** Why nothing is taken in by a gateway that its peers stand in for. */
const handedOver = (): StopAcceptingError =>
  new StopAcceptingError(
    'HANDED_OVER',
    'this gateway has handed over to its peers: ask one of them, or end that with `tidegate handover --cancel`',
  )

/** Own readings of [from, to). */
const ownLines = (outbox: Outbox, from: Offset, to: Offset): ReturnType<typeof linesBetween> =>
  linesBetween((at, maxBytes) => outbox.blocks('readings', at, maxBytes), from, to)
