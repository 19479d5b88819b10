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
import { decodeBlock, linesOf, type Outbox } from '../outbox/index.ts'
import type { NamedRules, StateMachine } from '../state/index.ts'
import { Clearing } from './clearing.ts'
import { Downlink } from './downlink.ts'
import { alone, ReplicatedDurability } from './durability.ts'
import type { FailoverEvents } from './events.ts'
import { Fencing } from './fencing.ts'
import type { PeerDialer, PeerHost } from './link/index.ts'
import { Notices } from './notices.ts'
import type { LaneProgress, SharedRules } from './protocol.ts'
import { Replicas } from './replicas.ts'
import { type Carry, Takeover } from './takeover.ts'
import { Twins } from './twins.ts'
import { type Refusal, Uplink } from './uplink.ts'

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
  /** Makes events durable that were decided here without a reading of the own lane. */
  tell(events: readonly ThresholdEvent[]): void
}

export interface PeerStatus {
  gateway: string
  /** Sessions stand in both directions. */
  present: boolean
  /** It has all that is here. */
  inStep: boolean
  /** Own records of all lanes that it does not have yet. */
  behind: number
  /** Readings of it here that the centre does not have, as far as is known. */
  holds: number
  /** Its alarms are decided here, and its readings forwarded. */
  takenOver: boolean
  /** It takes no devices: it has handed over, or is about to stop. */
  leaving: boolean
  /** Why it is not present, when that is not the network's doing: what it said to the last attempt, or what is wrong with it. */
  refusal: Refusal | null
}

export interface FailoverStatus {
  durability: Durability
  /** Replicated, but no peer is in step: what is acknowledged now is on one disk. */
  degraded: boolean
  /** ... and therefore nothing is acknowledged. */
  refuses: boolean
  peers: readonly PeerStatus[]
}

/** Waits between attempts to reach a peer. */
const RETRY = { min: 50, max: 1000 }
const READ_BYTES = 256 * 1024
/** Answers of a peer that wait for its lane; the lane is at most as far behind as messages are on their way. */
const MOST_BARRIERS = 256

/** What this gateway knows of one peer. */
interface Peer {
  uplink: Uplink
  up: boolean
  downlink: Downlink | null
  greeted: boolean
  /** It has begun a new epoch: what has left of those before is known only when its chain was read. */
  unread: boolean
  /** It cannot say whether something of its own has left of which there is a copy here. */
  unsure: boolean
  /** How far it has the own lanes. */
  stored: Readonly<Record<Lane, Offset>>
  /** It has said that it goes. */
  leaving: boolean
  /** Why it is away, as far as that was told: it is dialled every second, for days if need be. */
  told: Set<string>
  /** Its answers that wait until its lane is here as far as they say. */
  barriers: Barrier[]
}

/** Own readings before `next` are known there; what was known there then is known here once its lane is here up to `head`. */
interface Barrier {
  origin: string
  next: Offset
  head: Offset
  settled: Offset
  skipped: readonly Offset[]
}

/**
 * Two or more gateways as one: each has the others' lanes, each knows of copies before its own readings leave, each
 * takes over when another is silent (ADR 16).
 */
export class Failover {
  readonly durability: ReplicatedDurability
  readonly #parts: FailoverParts
  readonly #twins: Twins
  readonly #clearing: Clearing
  readonly #replicas: Replicas
  readonly #fencing: Fencing
  readonly #peers = new Map<string, Peer>()
  readonly #stopping = new AbortController()
  #takeover: Takeover | null = null
  readonly #notices: Notices
  /** Peers decide here: nothing is taken in. */
  #left = false
  #settled: Offset
  /**
   * When a copy of an own reading was heard of, own readings before this offset may have been on their way. A start counts as such a
   * moment: the cursor on disk is older than what had left by the end of the last life.
   */
  #sureFrom: Offset
  #running: Promise<unknown> = Promise.resolve()
  #stopLook: () => void = () => {}

  private constructor(parts: FailoverParts) {
    this.#parts = parts
    const { outbox, settings, clock, random, events } = parts
    const { site, gateway, peers, ackTimeout } = settings
    const readings = outbox.lane('readings')
    this.#settled = readings.cursor.next
    this.#sureFrom = outbox.durable('readings')
    this.#twins = new Twins(outbox)
    this.#clearing = new Clearing(
      {
        gateway,
        peers,
        head: () => outbox.durable('readings'),
        settled: () => this.#settledNow(),
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
      foundTwin: () => {
        this.#sureFrom = Math.max(this.#sureFrom, this.#clearing.released)
      },
      grew: (origin, lane) => {
        if (lane === 'readings') this.#passBarriers(origin)
      },
    })
    this.#fencing = new Fencing({
      site,
      gateway,
      peers,
      ackTimeout,
      clearing: this.#clearing,
      replicas: this.#replicas,
      clock,
      random,
      answers: (peer) => this.#answers(peer),
      read: (peer) => this.#chainRead(peer),
      durable: () => this.#durable(),
      filled: events.filled,
      troubled: events.troubled,
    })
    this.durability = new ReplicatedDurability(
      { whenDurable: (callback) => outbox.whenDurable(callback), next: (lane) => outbox.next(lane) },
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
    const { settings, outbox, machine, clock, events } = this.#parts
    const { peers, awayAfter, heartbeat, takeoverAfter } = settings
    const takeover = new Takeover(
      {
        clock,
        takeoverAfter,
        replicas: this.#replicas,
        twins: this.#twins,
        clearing: this.#clearing,
        events,
        carry,
        machine,
        own: {
          tail: () => outbox.lane('readings').tail,
          head: () => outbox.durable('readings'),
          read: (from, to) => ownLines(outbox, from, to),
        },
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
            known.greeted = true
            this.#presenceChanged(peer, '')
          },
          down: (_, reason) => {
            known.greeted = false
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
    const peers = [...this.#peers].map(([gateway, { uplink, stored, leaving }]): PeerStatus => {
      const lanes = this.#replicas.all
        .filter((replica) => replica.gateway === gateway)
        .map((replica) => replica.lane('readings'))
      return {
        gateway,
        present: this.#isPresent(gateway),
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
    const peers = [...this.#peers].map(([peer, { up, greeted, unread, unsure, stored, barriers }]) => {
      const waiting = barriers.length
      return { peer, up, greeted, unread, unsure, stored, waiting, standing: this.#clearing.standing(peer) }
    })
    const replicas = this.#replicas.all.map((replica) => {
      const { head, cursor } = replica.lane('readings')
      return { origin: replica.origin, head, next: cursor.next }
    })
    const { released } = this.#clearing
    return {
      released,
      settled: this.#settledNow(),
      sureFrom: this.#sureFrom,
      peers,
      replicas,
      taken: this.#takeover?.taken,
    }
  }

  /** Whether the peer is there to take devices, and has everything that was taken in here, durable or not. */
  hasAll(peer: string): boolean {
    const known = this.#peers.get(peer)
    if (!known || !this.#isPresent(peer) || known.leaving || !known.uplink.inStep) return false
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
      whenDurable: (callback, how = settings.durability) => durability.whenDurable(how, callback),
    }
  }

  #meet(peer: string): Peer {
    const { settings, dialer, clock, random, outbox } = this.#parts
    const { heartbeat, awayAfter } = settings
    const known: Peer = {
      up: false,
      downlink: null,
      greeted: false,
      unread: false,
      unsure: false,
      stored: { readings: 0, events: 0, deadletters: 0 },
      leaving: false,
      told: new Set(),
      barriers: [],
      uplink: new Uplink({
        peer,
        dialer,
        settings: { heartbeat, awayAfter, retry: RETRY },
        clock,
        random,
        host: {
          site: settings.site,
          gateway: settings.gateway,
          epoch: () => outbox.lane('readings').epoch,
          head: (lane) => outbox.durable(lane),
          position: async (lane) => {
            const next = outbox.durable(lane)
            return { next, lineage: await outbox.lane(lane).lineageAt(next) }
          },
          progress: (lane): LaneProgress => {
            const { cursor, tail } = outbox.lane(lane)
            const skipped = lane === 'readings' ? this.#twins.skipped() : []
            return { next: cursor.next, sequence: cursor.sequence, tail, skipped }
          },
          lineageAt: (lane, offset) => outbox.lane(lane).lineageAt(offset),
          blocks: (lane, from, maxBytes) => outbox.blocks(lane, from, maxBytes),
          onBlocks: (listener) => outbox.onBlocks(listener),
          rules: () => Object.fromEntries(this.#parts.machine.ruleSets),
          startEpoch: async () => {
            if (!this.#clearing.located)
              throw new RetryableError('OWN_CHAIN_UNKNOWN', 'the centre has to say first what it has of this gateway')
            await outbox.lane('readings').startEpoch()
          },
        },
        events: {
          up: () => {
            known.up = true
            // It took the hello for a return.
            if (this.#left) void known.uplink.leave()
            this.#presenceChanged(peer, '')
          },
          inStep: () => this.#parts.events.inStep(peer),
          stored: (_, { next, epoch, head, settled, skipped }) => {
            known.stored = next
            if (known.uplink.inStep) this.durability.stored(peer, next)
            const wasUnsure = known.unsure
            known.unsure = settled === null
            if (settled === null) {
              // Once: a fence serves until the peer writes behind it, and then this gateway hears of that on its own chain.
              if (!wasUnsure) this.#fencing.lost(peer)
            } else {
              // It decides with this one again: the fence, which it need not have seen, says nothing any more.
              if (wasUnsure && this.#answers(peer)) this.#clearing.stand(peer, { kind: 'present', passed: 0 })
              const origin = `${peer}/${epoch}`
              known.barriers.push({ origin, next: next.readings, head, settled, skipped })
              // An older one says nothing that a newer one does not say too, if later.
              if (known.barriers.length > MOST_BARRIERS) known.barriers.shift()
              this.#passBarriers(origin)
            }
          },
          down: (_, reason) => {
            known.up = false
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
      epoch: () => outbox.lane('readings').epoch,
      get accepting() {
        return outbox.accepting
      },
      refusal: () => outbox.refusal(),
      arrived: async (peer, epoch) => {
        await takeover.arrived(peer, epoch)
        const known = this.#peers.get(peer)
        const isOther = this.#replicas.all.some((replica) => replica.gateway === peer && replica.epoch !== epoch)
        if (known) known.leaving = false
        if (known && isOther) known.unread = true
        return this.#replicas.keeper(await this.#replicas.of(`${peer}/${epoch}`))
      },
      whenDurable: (callback) => outbox.whenDurable(callback),
      clearing: () => ({
        head: outbox.next('readings'),
        settled: this.#settledNow() >= this.#sureFrom ? this.#settledNow() : null,
        skipped: this.#twins.skipped(),
      }),
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

  #isPresent(peer: string): boolean {
    const known = this.#peers.get(peer)
    return known?.up === true && known.greeted
  }

  /** What it says decides what may leave; otherwise it has to be fenced. */
  #answers(peer: string): boolean {
    const known = this.#peers.get(peer)
    return this.#isPresent(peer) && known?.unsure === false && !known.unread
  }

  #presenceChanged(peer: string, reason: string): void {
    const { events } = this.#parts
    const known = this.#peers.get(peer)
    if (!known) return
    if (this.#isPresent(peer)) {
      // Nothing that it knows of the own readings is known yet: more leaves when it has answered.
      known.unsure = false
      this.#clearing.stand(peer, { kind: 'present', passed: 0 })
      if (known.unread) this.#fencing.lost(peer)
      for (const { origin } of [...known.barriers]) this.#passBarriers(origin)
      known.told.clear()
      events.peerPresent(peer)
      return
    }
    if (!known.up) known.barriers = []
    if (reason === '' || this.#stopping.signal.aborted) return
    this.#fencing.lost(peer)
    if (known.told.has(reason)) return
    known.told.add(reason)
    events.peerAway(peer, reason)
  }

  /** Its chain was read to the end, and fenced. */
  #chainRead(peer: string): void {
    const known = this.#peers.get(peer)
    if (!known?.unread) return
    known.unread = false
    if (this.#answers(peer)) this.#clearing.stand(peer, { kind: 'present', passed: 0 })
  }

  /** Lets go what the peers have passed, as far as their lanes are here. */
  #passBarriers(origin: string): void {
    const head = this.#replicas.get(origin)?.lane('readings').head ?? 0
    for (const [peer, known] of this.#peers) {
      if (!this.#answers(peer)) continue
      let passed: Barrier | null = null
      known.barriers = known.barriers.filter((barrier) => {
        if (barrier.origin !== origin || barrier.head > head) return true
        passed = barrier
        return false
      })
      const newest = passed as Barrier | null
      if (!newest) continue
      this.#replicas.skipped(origin, newest.skipped)
      this.#clearing.left(origin, newest.settled)
      this.#clearing.stand(peer, { kind: 'present', passed: newest.next })
    }
  }

  /** The highest own cursor that there ever was. */
  #settledNow(): Offset {
    this.#settled = Math.max(this.#settled, this.#parts.outbox.lane('readings').cursor.next)
    return this.#settled
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

/** Own readings of [from, to), without those that are declared missing. */
async function* ownLines(outbox: Outbox, from: Offset, to: Offset): AsyncIterable<readonly [Offset, string]> {
  for (let at = from; at < to; ) {
    const { blocks, gaps, next } = await outbox.blocks('readings', at, READ_BYTES)
    const isMissing = (offset: Offset): boolean => gaps.some((gap) => gap.from <= offset && offset <= gap.to)
    for (const { first, value } of blocks)
      for (const [i, line] of linesOf(decodeBlock(value)).entries()) {
        const offset = first + i
        if (offset >= at && offset < to && !isMissing(offset)) yield [offset, line] as const
      }
    if (next === at) return
    at = next
  }
}
