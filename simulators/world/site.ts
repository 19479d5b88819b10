import { SimulatedPeers } from '../../gateway/failover/link/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { NO_FAULTS, SimulatedCentre } from '../../sync/link/index.ts'
import { type Random, SimulatedClock, seededRandom } from '../../sync/runtime/index.ts'
import { keyOf, LIMIT, RULE } from './audit.ts'
import { type Identification, SimulatedDevice } from './device.ts'
import { SimulatedGateway } from './gateway.ts'
import { settingsOf } from './settings.ts'

export interface SiteOptions {
  seed: number
  /** 1 to 3. */
  gateways: number
  devices: number
  durability: 'local' | 'replicated'
  /** Told what happens, for whoever looks into a failing seed. */
  log?: (text: string) => void
}

const IDENTIFICATIONS: readonly Identification[] = ['session', 'time', 'seq and time', 'id']
/** How long anything may take that ends by itself. */
const WITHIN: Millis = 180_000

/** Everything that there is at a simulated site, and what has happened to it so far. */
export class Site {
  readonly random: Random
  readonly clock = new SimulatedClock(undefined, 'closed')
  readonly centre: SimulatedCentre
  readonly peers: SimulatedPeers
  readonly gateways: readonly SimulatedGateway[]
  readonly devices: SimulatedDevice[] = []
  readonly story: string[] = []
  /** Acknowledged readings that may be missing: the only disk that was known to have them was lost. */
  readonly excused = new Set<string>()
  readonly #options: SiteOptions
  /** Acknowledged readings of which only one disk was known to have them, by the gateway whose disk that was. */
  readonly #alone = new Map<string, Set<string>>()

  constructor(options: SiteOptions) {
    this.#options = options
    const { seed, gateways, durability } = options
    this.random = seededRandom(seed)
    this.centre = new SimulatedCentre(this.clock, seededRandom(seed + 1))
    this.peers = new SimulatedPeers(this.clock, seededRandom(seed + 2))
    const names = Array.from({ length: gateways }, (_, i) => `gw-${i + 1}`)
    this.gateways = names.map(
      (name, i) =>
        new SimulatedGateway({
          settings: settingsOf(name, names, durability),
          clock: this.clock,
          random: seededRandom(seed + 10 + i),
          centre: this.centre,
          peers: this.peers,
          log: (text) => this.log(text),
        }),
    )
  }

  /** Everything is switched on. */
  async begin(): Promise<void> {
    for (const gateway of this.gateways) await this.wait(gateway.start())
    for (const gateway of this.gateways) await this.wait(this.#setRules(gateway))
    for (let i = 0; i < this.#options.devices; i++) this.devices.push(this.#device(i))
  }

  async start(gateway: SimulatedGateway): Promise<void> {
    await this.wait(gateway.start())
    await this.wait(this.#setRules(gateway))
  }

  /** Everything that is broken is whole again, and everything that is down is up. */
  async mend(): Promise<void> {
    this.log('everything is mended')
    this.centre.faults = NO_FAULTS
    for (const { name } of this.gateways) this.centre.heal(name)
    for (const one of this.gateways)
      for (const other of this.gateways)
        if (one !== other) {
          this.peers.heal(one.name, other.name)
          this.peers.delay(one.name, other.name, 0)
        }
    for (const { disk } of this.gateways) {
      disk.capacity = Number.POSITIVE_INFINITY
      disk.failNextWrite = null
    }
    for (const gateway of this.gateways) await this.start(gateway)
  }

  /** What the gateways say of their rules, where they do not say the same. */
  otherRules(): string[] {
    const said = this.gateways.map(({ name, core }) => {
      const sets = [...(core?.machine.ruleSets ?? [])].map(([set, { revision }]) => `${set} ${revision}`)
      return { name, rules: sets.sort().join(', ') }
    })
    const [first] = said
    return said
      .filter(({ rules }) => rules !== first?.rules)
      .map(({ name, rules }) => `${name} has ${rules}; ${first?.name} has ${first?.rules}`)
  }

  async end(): Promise<void> {
    for (const gateway of this.gateways) await this.wait(gateway.stop())
  }

  /** Nothing is on its way any more, as far as can be told. */
  isQuiet(): boolean {
    return (
      this.devices.every(({ open }) => open === 0) &&
      this.gateways.every(({ core }) => {
        const status = core?.outbox.status()
        const isForwarded = status && Object.values(status.lanes).every(({ pending }) => pending === 0)
        return isForwarded && (core?.failover?.replicasOfTheGone() ?? 0) === 0
      })
    )
  }

  /** What is not done yet. */
  open(): string {
    const devices = this.devices.filter(({ open }) => open > 0).map(({ name, open }) => `${name} waits for ${open}`)
    const gateways = this.gateways.map(({ name, core }) => {
      const { state, lanes } = core?.outbox.status() ?? {}
      return `${name} ${JSON.stringify({ state, lanes, link: core?.forwarder.status(), failover: core?.failover?.describe() })}`
    })
    return [...devices, ...gateways].join('\n')
  }

  /** What a disk holds of others that are gone, or what others have lost, would be lost with it: only one may go at a time. */
  maySpare(gateway: SimulatedGateway): boolean {
    const others = this.gateways.filter((other) => other !== gateway)
    if (others.length === 0) return false
    const status = gateway.core?.failover?.status()
    if (!status || status.degraded) return false
    const isBacked = others.every((other) => {
      const peers = other.core?.failover?.status().peers ?? []
      return peers.find((peer) => peer.gateway === gateway.name)?.inStep === true
    })
    const holdsNothing = (gateway.core?.failover?.replicasOfTheGone() ?? 0) === 0
    const isCopied = status.peers.every(({ inStep }) => inStep)
    return isBacked && isCopied && holdsNothing
  }

  /** What was promised of this disk alone need not be kept any more. */
  excuse({ name }: SimulatedGateway): void {
    for (const key of this.#alone.get(name) ?? []) this.excused.add(key)
    this.#alone.delete(name)
  }

  any<T>(list: readonly T[]): T {
    const found = list[Math.floor(this.random.next() * list.length)]
    if (found === undefined) throw new Error('there is none')
    return found
  }

  /** Two gateways; null when they happen to be one. */
  anyTwo(): { one: SimulatedGateway; other: SimulatedGateway } | null {
    const [one, other] = [this.any(this.gateways), this.any(this.gateways)]
    return one === other ? null : { one, other }
  }

  log(text: string): void {
    const line = `${String(Math.round(this.clock.monotonic())).padStart(7)} ${text}`
    this.story.push(line)
    this.#options.log?.(line)
  }

  /** Lets time pass until it is done. */
  async wait(work: Promise<unknown>): Promise<void> {
    let done = false
    let failed: unknown = null
    work.then(
      () => {
        done = true
      },
      (error: unknown) => {
        failed = error
        done = true
      },
    )
    await this.clock.runUntil(() => done, WITHIN)
    if (failed !== null) throw failed
  }

  async #setRules({ core }: SimulatedGateway): Promise<void> {
    const rules = { rules: [{ id: RULE, match: {}, above: LIMIT }] }
    await core?.desk.putRules({ set: 'main', given: rules, ifRevision: null }).catch(() => undefined)
  }

  #device(i: number): SimulatedDevice {
    const { gateways, durability } = this.#options
    return new SimulatedDevice({
      name: `d${i}`,
      identification: IDENTIFICATIONS[i % IDENTIFICATIONS.length] ?? 'session',
      doors: this.gateways,
      first: i % gateways,
      clock: this.clock,
      random: this.random,
      latency: 3,
      reconnect: { min: 20, max: 400 },
      acked: (device, { payload, ackedBy }) => {
        const gateway = this.gateways.find(({ name }) => name === ackedBy)
        const status = gateway?.core?.failover?.status()
        if (!status || (durability === 'replicated' && !status.degraded)) return
        const alone = this.#alone.get(ackedBy ?? '') ?? new Set()
        this.#alone.set(ackedBy ?? '', alone)
        alone.add(keyOf({ device: device.name, ...JSON.parse(payload) }))
      },
    })
  }
}
