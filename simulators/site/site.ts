import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { stringify } from 'yaml'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { type Clock, pause, type Random, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import { CentralCluster, type CentralServer, startCentral, startCluster } from '../central/index.ts'
import { FaultProxy, type Release } from '../faults/index.ts'
import { Fleet, type FleetStats, GROUP_TOPIC, mixedFleet, TOPIC } from '../fleet/index.ts'
import {
  type AlarmVerdict,
  auditAlarms,
  type Central,
  Ledger,
  natsCentral,
  type Verdict,
  verify,
} from '../ledger/index.ts'
import { GatewayProcess } from './gateway-process.ts'
import { portOr } from './port.ts'
import { SITE_THRESHOLDS, siteRules } from './rules.ts'
import { type SiteSummary, summarise } from './summary.ts'

export interface SiteOptions {
  /** Holds everything durable: central store, outbox, configuration. */
  dir: string
  /** Where the gateway keeps its data; below `dir` unless said. */
  dataDir?: string
  /** Path of the compiled command line, to run the gateway with. */
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
  /** Ports that people know by heart, if they are free; any free ones otherwise. */
  mqttPort?: number
  centralPort?: number
  /** More configuration for the gateway, by section, over what the site needs. */
  config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  clock?: Clock
  random?: Random
  /** Told what is being done while it starts. */
  onStep?: (step: string) => void
}

/** Where to connect. */
export interface SiteAddresses {
  mqttPort: number
  centralUrl: string
  site: string
  gateway: string
  /** Configuration file of the gateway, and where it keeps its data. */
  config: string
  dataDir: string
}

/** How the site is right now. */
export interface SiteView {
  gateway: GatewayStatus | null
  fleet: FleetStats
  linkCut: boolean
}

const SITE = 'demo'
const GATEWAY = 'gw-1'
const DRAIN_WITHIN: Millis = 60_000
/** The gateway looks every 15 s. */
const REFILLED_WITHIN: Millis = 20_000
const RULES_FILE = 'rules.yaml'
/** Nobody watches a site in a box for hours: what goes wrong in a plant within an hour goes wrong here in three minutes. */
const HURRY = 20

/**
 * A site in a box: a central JetStream, a network that can be cut, a gateway that can be killed, sensors, and a ledger of
 * everything that the sensors got acknowledged. Every part is the real thing in a process (or on sockets) of its own.
 */
export class Site {
  readonly addresses: SiteAddresses
  readonly gateway: GatewayProcess
  readonly central: CentralServer | CentralCluster
  /** The network between the gateway and each server of the centre. */
  readonly links: readonly FaultProxy[]
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly #clock: Clock
  readonly #started: Millis
  #cut: readonly Release[] | null = null
  #cuts = 0
  #kills = 0

  private constructor(parts: {
    addresses: SiteAddresses
    gateway: GatewayProcess
    central: CentralServer | CentralCluster
    links: readonly FaultProxy[]
    fleet: Fleet
    ledger: Ledger
    clock: Clock
  }) {
    this.addresses = parts.addresses
    this.gateway = parts.gateway
    this.central = parts.central
    this.links = parts.links
    this.fleet = parts.fleet
    this.ledger = parts.ledger
    this.#clock = parts.clock
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
      const links: FaultProxy[] = []
      for (const url of urlsOf(central)) {
        const link = await FaultProxy.listen({ target: { port: Number(new URL(url).port) }, protocol: 'nats', clock })
        links.push(link)
        undo.push(() => link.close())
      }
      onStep('starting a gateway')
      const mqttPort = await portOr(options.mqttPort, random)
      const config = join(dir, 'tidegate.yaml')
      await writeFile(join(dir, RULES_FILE), stringify(siteRules()))
      const servers = links.map(({ port }) => `nats://127.0.0.1:${port}`)
      await writeFile(config, stringify(gatewayConfig(options, mqttPort, servers)))
      const gateway = new GatewayProcess({ entry: options.entry, config, clock })
      undo.push(() => gateway.stop())
      await gateway.start()
      onStep('starting sensors')
      const ledger = new Ledger({ startedAt: clock.now() })
      const fleet = Fleet.start({
        devices: mixedFleet({ devices: options.devices, trouble: options.trouble, name: 'sensor', hurry: HURRY }),
        gateways: [`mqtt://127.0.0.1:${mqttPort}`],
        ledger,
        rate: options.rate,
        clock,
        ...(options.connections === undefined ? {} : { connections: options.connections }),
      })
      const [centralUrl = ''] = urlsOf(central)
      const { dataDir = join(dir, 'gateway') } = options
      const addresses = { mqttPort, centralUrl, site: SITE, gateway: GATEWAY, config, dataDir }
      return new Site({ addresses, gateway, central, links, fleet, ledger, clock })
    } catch (error) {
      for (const step of undo.reverse()) await step()
      throw error
    }
  }

  view(): SiteView {
    return { gateway: this.gateway.status, fleet: this.fleet.stats(), linkCut: this.#cut !== null }
  }

  async cutLink(): Promise<void> {
    if (this.#cut) return
    this.#cuts++
    this.#cut = await Promise.all(this.links.map((link) => link.cut()))
  }

  async healLink(): Promise<void> {
    const releases = this.#cut ?? []
    this.#cut = null
    for (const release of releases) await release()
  }

  async killGateway(): Promise<void> {
    this.#kills++
    await this.gateway.kill('SIGKILL')
  }

  /**
   * Lets the sensors finish, mends what is broken, waits until the outbox is empty, and compares the central stream with
   * the ledger.
   */
  async finish(signal?: AbortSignal): Promise<{ summary: SiteSummary; verdict: Verdict }> {
    const seconds = (this.#clock.monotonic() - this.#started) / 1000
    await this.gateway.start()
    await this.healLink()
    await this.fleet.stop()
    // What the gateway said before the last acknowledgement says nothing about what came with it.
    const now = this.#clock.now()
    await this.gateway.waitFor(
      (status) =>
        status !== null && status.at > now && Object.values(status.outbox.lanes).every(({ pending }) => pending === 0),
      DRAIN_WITHIN,
    )
    const connection = await connect({ servers: [...urlsOf(this.central)] })
    try {
      const central = natsCentral(connection)
      const verdict = await verify(this.ledger, central, { settle: 1000, ...(signal ? { signal } : {}) })
      const { status } = this.gateway
      if (!status) throw new Error('the gateway ended before it could be asked')
      // Readings that were given up may have crossed a threshold: nobody can say.
      const alarms = await this.#auditAlarms(central, verdict.total.evicted === 0, signal)
      const run = { cuts: this.#cuts, kills: this.#kills, seconds: Math.round(seconds * 10) / 10 }
      return { summary: summarise(status, verdict, alarms, run), verdict }
    } finally {
      await connection.close()
    }
  }

  /** A centre that forgot events gets them again, once the gateway has looked; until then they are missing. */
  async #auditAlarms(central: Central, complete: boolean, signal?: AbortSignal): Promise<AlarmVerdict> {
    const until = this.#clock.monotonic() + REFILLED_WITHIN
    for (;;) {
      const verdict = await auditAlarms(central, SITE_THRESHOLDS, complete, signal)
      if (verdict.missed === 0 || this.#clock.monotonic() > until) return verdict
      await pause(this.#clock, 1000, signal)
    }
  }

  /** Ends every process and connection; safe to call at any time, and more than once. */
  async stop(): Promise<void> {
    await this.fleet.stop({ within: 0 })
    await this.gateway.stop()
    for (const link of this.links) await link.close()
    await this.central.stop()
  }
}

const urlsOf = (central: CentralServer | CentralCluster): readonly string[] =>
  central instanceof CentralCluster ? central.urls : [central.url]

async function startCentre(
  options: SiteOptions,
  clock: Clock,
  random: Random,
): Promise<CentralServer | CentralCluster> {
  const dir = join(options.dir, 'central')
  if (options.nodes === 3) return await startCluster({ dir, clock, random })
  return await startCentral({ dir, port: await portOr(options.centralPort, random), clock, random })
}

function gatewayConfig(
  { dir, dataDir = join(dir, 'gateway'), config: more = {} }: SiteOptions,
  mqttPort: number,
  servers: readonly string[],
): Record<string, unknown> {
  const own: Record<string, Record<string, unknown>> = {
    mqtt: { listeners: [{ kind: 'tcp', host: '127.0.0.1', port: mqttPort }] },
    rules: { file: RULES_FILE },
    ingest: { topics: [{ template: TOPIC }, { template: GROUP_TOPIC }] },
    central: { servers, replicas: servers.length },
    // A laptop with little room left should still be able to look at it.
    outbox: { minFree: '16MB', reserve: '1MB' },
  }
  const sections = [...new Set([...Object.keys(own), ...Object.keys(more)])]
  const merged = sections.map((section) => [section, { ...own[section], ...more[section] }])
  return { site: SITE, gateway: GATEWAY, dataDir, ...Object.fromEntries(merged) }
}
