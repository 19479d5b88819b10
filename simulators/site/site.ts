import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { stringify } from 'yaml'
import { type Millis, UsageError } from '../../sync/contract/index.ts'
import { type Clock, pause, type Random, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import type { FaultProxy } from '../faults/index.ts'
import {
  type ClientProfileName,
  Fleet,
  type FleetStats,
  type Move,
  type MqttVersion,
  mixedFleet,
} from '../fleet/index.ts'
import {
  type AlarmAuditOptions,
  type AlarmVerdict,
  auditAlarms,
  type Central,
  Ledger,
  natsCentral,
  type Verdict,
  verify,
} from '../ledger/index.ts'
import { type Centre, startCentre, urlsOf } from './centre.ts'
import { TAKEOVER_AFTER } from './failover.ts'
import { failoverTimes } from './failover-times.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { layOut } from './lay-out.ts'
import type { Machine } from './machine.ts'
import type { PeerNetwork } from './peer-network.ts'
import { SITE_THRESHOLDS, siteRules } from './rules.ts'
import type { GatewayView, SiteGateway } from './site-gateway.ts'
import { type SiteSummary, summarise } from './summary.ts'

export interface SiteOptions {
  /** Holds everything durable: central store, outbox, configuration. */
  dir: string
  /** Where the first gateway keeps its data; below `dir` unless said. */
  dataDir?: string
  /** Gateways, called gw-1, gw-2, ...; 1 unless said. */
  gateways?: number
  /** Path of the compiled command line, to run gateways with. */
  entry: string
  devices: number
  /** Samples a second of each device. */
  rate: number
  /** How badly the devices behave: 0 never, 1 as on a poor site. */
  trouble: number
  /** Servers of the centre, each with a copy of everything; 1 unless said. */
  nodes?: 1 | 3
  /** Connections that the sensors share; one each unless said. */
  connections?: number
  /** How the sensors' MQTT clients connect and connect again; `tuned` unless said. */
  client?: ClientProfileName
  /** Which version of MQTT the sensors speak; 4 (3.1.1) unless said. */
  version?: MqttVersion | 'mixed'
  /** Ports that people know by heart, if they are free; any free ones otherwise. Each gateway takes the next one for MQTT. */
  mqttPort?: number
  centralPort?: number
  /** Machines of their own for the gateways, one each, and where the centre is found from there; all on this one's loopback unless said. */
  machines?: readonly Machine[]
  centralHost?: string
  /** Addresses that devices know in place of the gateways' own, `mqtt://host:port`: a virtual one. */
  devicesKnow?: readonly string[]
  /** More configuration for every gateway, by section, over what the site needs. */
  config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Whether the clocks of all gateways agree; true unless said. */
  oneClock?: boolean
  clock?: Clock
  random?: Random
  /** Told what is being done while it starts. */
  onStep?: (step: string) => void
}

/** Where to connect: to the centre, and to the first gateway. */
export interface SiteAddresses {
  mqttPort: number
  centralUrl: string
  site: string
  /** Of the readings of all gateways. */
  subject: string
  /** Configuration file of that gateway, and where it keeps its data. */
  config: string
  dataDir: string
}

/** How the site is right now. */
export interface SiteView {
  gateways: readonly GatewayView[]
  fleet: FleetStats
  /** No gateway reaches the centre. */
  linkCut: boolean
  /** Some gateways do not reach each other. */
  peersCut: boolean
}

/** What a kill leads to. */
export interface Kill {
  /** How the sensors moved that were connected to it, once they have. */
  moved: Promise<readonly Move[]>
}

const SITE = 'demo'
const DRAIN_WITHIN: Millis = 60_000
/** The gateway looks every 15 s. */
const REFILLED_WITHIN: Millis = 20_000
/** How long to look for what is missing, after the last that came. */
const SETTLE: Millis = 1_000
const RULES_FILE = 'rules.yaml'
/** Nobody watches a site in a box for hours: what goes wrong in a plant within an hour goes wrong here in three minutes. */
const HURRY = 20

interface SiteParts {
  addresses: SiteAddresses
  gateways: readonly SiteGateway[]
  first: SiteGateway
  peers: PeerNetwork
  central: Centre
  fleet: Fleet
  ledger: Ledger
  clock: Clock
  oneClock: boolean
}

/**
 * A site in a box: a central JetStream, a network that can be cut, gateways that can be killed, sensors, and a ledger of
 * everything that the sensors got acknowledged. Every part is the real thing in a process (or on sockets) of its own.
 *
 * What is done to "the gateway" without saying to which is done to the first; what is done to "the link", to all links.
 */
export class Site {
  readonly addresses: SiteAddresses
  readonly gateways: readonly SiteGateway[]
  /** The process of the first gateway. */
  readonly gateway: GatewayProcess
  /** The network between the gateways. */
  readonly peers: PeerNetwork
  readonly central: Centre
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly #clock: Clock
  readonly #oneClock: boolean
  readonly #started: Millis
  #cuts = 0

  private constructor(parts: SiteParts) {
    this.addresses = parts.addresses
    this.gateways = parts.gateways
    this.gateway = parts.first.process
    this.peers = parts.peers
    this.central = parts.central
    this.fleet = parts.fleet
    this.ledger = parts.ledger
    this.#clock = parts.clock
    this.#oneClock = parts.oneClock
    this.#started = parts.clock.monotonic()
  }

  /** Starts everything, or nothing. */
  static async start(options: SiteOptions): Promise<Site> {
    const { dir, clock = systemClock, random = systemRandom, onStep = () => undefined } = options
    const undo: (() => Promise<unknown>)[] = []
    try {
      await mkdir(dir, { recursive: true })
      onStep('starting a central JetStream')
      const central = await startCentre(options, clock, random)
      undo.push(() => central.stop())
      const count = options.machines?.length ?? options.gateways ?? 1
      onStep(count === 1 ? 'starting a gateway' : `starting ${count} gateways`)
      await writeFile(join(dir, RULES_FILE), stringify(siteRules()))
      const plan = { ...options, gateways: count, site: SITE, rulesFile: RULES_FILE }
      const { gateways, peers } = await layOut(plan, central, { clock, random, undo })
      await Promise.all(gateways.map((gateway) => gateway.process.start()))
      onStep('starting sensors')
      const ledger = new Ledger({ startedAt: clock.now() })
      const fleet = Fleet.start({
        devices: mixedFleet({ devices: options.devices, trouble: options.trouble, name: 'sensor', hurry: HURRY }),
        gateways: options.devicesKnow ?? gateways.map(({ host, mqttPort }) => `mqtt://${host}:${mqttPort}`),
        ledger,
        rate: options.rate,
        client: options.client ?? 'tuned',
        version: options.version ?? 4,
        clock,
        ...(options.connections === undefined ? {} : { connections: options.connections }),
      })
      const [centralUrl = ''] = urlsOf(central)
      const [first] = gateways
      if (first === undefined) throw new UsageError('SITE_EMPTY', `expected at least one gateway, got ${count}`)
      const { name, mqttPort, config, dataDir } = first
      const subject = `readings.${SITE}.${count === 1 ? name : '*'}`
      const addresses = { mqttPort, centralUrl, site: SITE, subject, config, dataDir }
      const { oneClock = true } = options
      return new Site({ addresses, gateways, first, peers, central, fleet, ledger, clock, oneClock })
    } catch (error) {
      for (const step of undo.reverse()) await step()
      throw error
    }
  }

  /** The network between each gateway and each server of the centre. */
  get links(): readonly FaultProxy[] {
    return this.gateways.flatMap(({ links }) => links)
  }

  view(): SiteView {
    return {
      gateways: this.gateways.map(({ view }) => view),
      fleet: this.fleet.stats(),
      linkCut: this.gateways.every(({ linkCut }) => linkCut),
      peersCut: this.peers.isCut,
    }
  }

  /** Cuts a gateway off from the centre, or all of them. */
  async cutLink(which?: number): Promise<void> {
    const cut = this.#some(which).filter(({ linkCut }) => !linkCut)
    if (cut.length > 0) this.#cuts++
    await Promise.all(cut.map((gateway) => gateway.cutLink()))
  }

  async healLink(which?: number): Promise<void> {
    await Promise.all(this.#some(which).map((gateway) => gateway.healLink()))
  }

  /** Two gateways cannot reach each other any more; everybody else can reach both. */
  async cutPeers(a = 0, b = 1): Promise<void> {
    await this.peers.cut(a, b)
  }

  async healPeers(a = 0, b = 1): Promise<void> {
    await this.peers.heal(a, b)
  }

  async killGateway(which = 0): Promise<Kill> {
    const gateway = this.#one(which)
    const moved = this.fleet.gatewayKilled(which)
    await gateway.kill()
    return { moved }
  }

  async startGateway(which = 0): Promise<void> {
    await this.#one(which).process.start()
  }

  /** Deletes everything that a dead gateway has on disk. */
  async wipeGateway(which = 0): Promise<void> {
    await this.#one(which).wipe()
  }

  /**
   * Lets the sensors finish, mends what is broken, waits until every outbox is empty, and compares the central stream with
   * the ledger.
   */
  async finish(signal?: AbortSignal): Promise<{ summary: SiteSummary; verdict: Verdict }> {
    const seconds = (this.#clock.monotonic() - this.#started) / 1000
    await Promise.all(this.gateways.map((gateway) => gateway.process.start()))
    await this.healLink()
    await this.peers.healAll()
    await this.fleet.stop()
    await this.#drain()
    const connection = await connect({ servers: [...urlsOf(this.central)] })
    try {
      const central = natsCentral(connection)
      // What a neighbour has of a gateway that lost its disk, it forwards once it has waited long enough.
      const settle = this.gateways.length === 1 ? SETTLE : SETTLE + 2 * TAKEOVER_AFTER
      const verdict = await verify(this.ledger, central, { settle, ...(signal ? { signal } : {}) })
      // Readings that were given up may have crossed a threshold: nobody can say.
      const alarms = await this.#auditAlarms(central, {
        complete: verdict.total.evicted === 0,
        oneClock: this.#oneClock,
        ...(signal ? { signal } : {}),
      })
      const gateways = this.gateways.map(({ name, counts, kills, wipes }) => ({
        gateway: name,
        ...counts,
        kills,
        wipes,
      }))
      const run = {
        cuts: this.#cuts,
        kills: gateways.reduce((sum, { kills }) => sum + kills, 0),
        wipes: gateways.reduce((sum, { wipes }) => sum + wipes, 0),
        seconds: Math.round(seconds * 10) / 10,
      }
      const failoverMs = failoverTimes(this.fleet.moves)
      return { summary: summarise({ gateways, verdict, alarms, run, failoverMs }), verdict }
    } finally {
      await connection.close()
    }
  }

  /** Waits until nothing waits for the centre on any gateway. */
  async #drain(): Promise<void> {
    // What a gateway said before the last acknowledgement says nothing about what came with it.
    const now = this.#clock.now()
    const drained = (gateway: SiteGateway): boolean => (gateway.process.status?.at ?? 0) > now && gateway.drained
    await Promise.all(this.gateways.map((gateway) => gateway.process.waitFor(() => drained(gateway), DRAIN_WITHIN)))
  }

  #one(which: number): SiteGateway {
    const gateway = this.gateways[which]
    if (gateway === undefined)
      throw new UsageError('GATEWAY_UNKNOWN', `expected a gateway from 0 to ${this.gateways.length - 1}, got ${which}`)
    return gateway
  }

  #some(which: number | undefined): readonly SiteGateway[] {
    return which === undefined ? this.gateways : [this.#one(which)]
  }

  /** A centre that forgot events gets them again, once the gateway has looked; until then they are missing. */
  async #auditAlarms(central: Central, options: AlarmAuditOptions): Promise<AlarmVerdict> {
    const until = this.#clock.monotonic() + REFILLED_WITHIN
    for (;;) {
      const verdict = await auditAlarms(central, SITE_THRESHOLDS, options)
      if (verdict.missed === 0 || this.#clock.monotonic() > until) return verdict
      await pause(this.#clock, 1000, options.signal)
    }
  }

  /** Ends every process and connection; safe to call at any time, and more than once. */
  async stop(): Promise<void> {
    await this.fleet.stop({ within: 0 })
    await Promise.all(this.gateways.map((gateway) => gateway.stop()))
    await this.peers.close()
    await this.central.stop()
  }
}
