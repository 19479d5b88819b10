import { rm } from 'node:fs/promises'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import { UsageError } from '../../sync/contract/index.ts'
import type { FaultProxy, Release } from '../faults/index.ts'
import { addCounts, countsOf, type GatewayCounts, NO_COUNTS } from './gateway-counts.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { realNetwork } from './machine.ts'

export interface SiteGatewayParts {
  /** Its name within the site. */
  name: string
  process: GatewayProcess
  /** Its configuration file, and where it keeps its data. */
  config: string
  dataDir: string
  /** Where devices find it. */
  host: string
  mqttPort: number
  /** Its own network to each server of the centre; none where it reaches the centre over a real one. */
  links: readonly FaultProxy[]
}

/** How one gateway is right now. */
export interface GatewayView {
  name: string
  /** null while it is dead. */
  status: GatewayStatus | null
  linkCut: boolean
}

/** One of the gateways of a site, with what leads from it to the centre. */
export class SiteGateway implements SiteGatewayParts {
  readonly name: string
  readonly process: GatewayProcess
  readonly config: string
  readonly dataDir: string
  readonly host: string
  readonly mqttPort: number
  readonly links: readonly FaultProxy[]
  #cut: readonly Release[] | null = null
  #kills = 0
  #wipes = 0
  /** What it said of stores that are deleted by now. */
  #before: GatewayCounts = NO_COUNTS

  constructor(parts: SiteGatewayParts) {
    this.name = parts.name
    this.process = parts.process
    this.config = parts.config
    this.dataDir = parts.dataDir
    this.host = parts.host
    this.mqttPort = parts.mqttPort
    this.links = parts.links
  }

  get linkCut(): boolean {
    return this.#cut !== null
  }

  get kills(): number {
    return this.#kills
  }

  get wipes(): number {
    return this.#wipes
  }

  get view(): GatewayView {
    return { name: this.name, status: this.process.status, linkCut: this.linkCut }
  }

  /** Everything that it ever accepted, and what became of it, as far as it said so before it was wiped. */
  get counts(): GatewayCounts {
    return addCounts(this.#before, countsOf(this.process.lastStatus))
  }

  /** Nothing of its own waits for the centre. */
  get drained(): boolean {
    const { status } = this.process
    return status !== null && Object.values(status.outbox.lanes).every(({ pending }) => pending === 0)
  }

  /** @throws UsageError `NETWORK_REAL` */
  async cutLink(): Promise<void> {
    if (this.#cut) return
    if (this.links.length === 0) throw realNetwork(this.name)
    this.#cut = []
    this.#cut = await Promise.all(this.links.map((link) => link.cut()))
  }

  async healLink(): Promise<void> {
    const releases = this.#cut ?? []
    this.#cut = null
    for (const release of releases) await release()
  }

  async kill(): Promise<void> {
    this.#kills++
    await this.process.kill('SIGKILL')
  }

  /**
   * Deletes everything that it has on disk, as if its machine were replaced.
   *
   * @throws UsageError `GATEWAY_RUNS`
   */
  async wipe(): Promise<void> {
    if (this.process.pid !== null)
      throw new UsageError('GATEWAY_RUNS', `${this.name} runs: kill or stop it before its data folder is deleted`)
    this.#wipes++
    // What waited is for its neighbours to forward.
    this.#before = { ...this.counts, buffered: 0 }
    this.process.forget()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** Ends it, and the way to the centre; safe to call more than once. */
  async stop(): Promise<void> {
    await this.process.stop()
    for (const link of this.links) await link.close()
  }
}
