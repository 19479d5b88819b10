import { parseConfig } from '../../gateway/config/index.ts'
import type { CoreSettings } from '../../gateway/core.ts'
import { SimulatedPeers } from '../../gateway/failover/link/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { NO_FAULTS, SimulatedCentre } from '../../sync/link/index.ts'
import { streamPlans } from '../../sync/provision/index.ts'
import { type Random, SimulatedClock, seededRandom } from '../../sync/runtime/index.ts'
import { audit, type Findings, keyOf, LIMIT, RULE } from './audit.ts'
import { type Identification, SimulatedDevice } from './device.ts'
import { SimulatedGateway } from './gateway.ts'

export interface WorldOptions {
  seed: number
  /** 1 to 3. */
  gateways: number
  devices: number
  /** Faults, one after the other. */
  steps: number
  durability: 'local' | 'replicated'
  /** Told what happens, for whoever looks into a failing seed. */
  log?: (text: string) => void
}

export interface Outcome {
  seed: number
  findings: Findings
  clean: boolean
  /** What was done to the site, in order. */
  story: string[]
  readings: number
  acked: number
  simulated: Millis
}

const SITE = 'site'
const IDENTIFICATIONS: readonly Identification[] = ['session', 'time', 'seq and time', 'id']
/** Everything about ingest as it is unless configured. */
const INGEST = parseConfig(`site: ${SITE}\ngateway: gw`, {}).ingest
const SETTLE_WITHIN: Millis = 180_000

/**
 * A whole site in one process, on a clock that moves by itself: gateways on disks that lose power, a network between them and to
 * the centre that is cut and lies, devices that move. Everything follows from the seed.
 */
export async function live(options: WorldOptions): Promise<Outcome> {
  const world = new World(options)
  return await world.run()
}

class World {
  readonly #options: WorldOptions
  readonly #random: Random
  readonly #clock = new SimulatedClock()
  readonly #centre: SimulatedCentre
  readonly #peers: SimulatedPeers
  readonly #gateways: SimulatedGateway[]
  readonly #devices: SimulatedDevice[]
  readonly #story: string[] = []
  /** Acknowledged readings of which only one disk was known to have them, by the gateway whose disk that was. */
  readonly #alone = new Map<string, Set<string>>()
  readonly #excused = new Set<string>()

  constructor(options: WorldOptions) {
    this.#options = options
    const { seed } = options
    this.#random = seededRandom(seed)
    this.#centre = new SimulatedCentre(this.#clock, seededRandom(seed + 1))
    this.#peers = new SimulatedPeers(this.#clock, seededRandom(seed + 2))
    const names = Array.from({ length: options.gateways }, (_, i) => `gw-${i + 1}`)
    this.#gateways = names.map(
      (name, i) =>
        new SimulatedGateway({
          settings: settingsOf(name, names, options.durability),
          clock: this.#clock,
          random: seededRandom(seed + 10 + i),
          centre: this.#centre,
          peers: this.#peers,
          log: (text) => this.#log(text),
        }),
    )
    this.#devices = []
  }

  async run(): Promise<Outcome> {
    const { seed, steps, devices } = this.#options
    for (const gateway of this.#gateways) await this.#wait(gateway.start())
    for (const gateway of this.#gateways) await this.#wait(this.#setRules(gateway))
    for (let i = 0; i < devices; i++) this.#devices.push(this.#device(i))
    for (let step = 0; step < steps; step++) {
      this.#measure()
      await this.#clock.advance(this.#random.next() * 400)
      await this.#fault()
    }
    await this.#settle()
    const findings = await audit(this.#centre, this.#devices, this.#excused)
    for (const gateway of this.#gateways) await this.#wait(gateway.stop())
    await this.#wait(Promise.all(this.#gateways.map((gateway) => gateway.ended())))
    return {
      seed,
      findings,
      clean: Object.values(findings).every((list) => list.length === 0),
      story: this.#story,
      readings: this.#devices.reduce((sum, { said }) => sum + said.length, 0),
      acked: this.#devices.reduce((sum, { said }) => sum + said.filter(({ ackedBy }) => ackedBy !== null).length, 0),
      simulated: this.#clock.monotonic(),
    }
  }

  #device(i: number): SimulatedDevice {
    const { gateways } = this.#options
    return new SimulatedDevice({
      name: `d${i}`,
      identification: IDENTIFICATIONS[i % IDENTIFICATIONS.length] ?? 'session',
      doors: this.#gateways,
      first: i % gateways,
      clock: this.#clock,
      random: this.#random,
      latency: 3,
      reconnect: { min: 20, max: 400 },
      acked: (device, { payload, ackedBy }) => {
        const gateway = this.#gateways.find(({ name }) => name === ackedBy)
        const status = gateway?.core?.failover?.status()
        if (!status || (this.#options.durability === 'replicated' && !status.degraded)) return
        const alone = this.#alone.get(ackedBy ?? '') ?? new Set()
        this.#alone.set(ackedBy ?? '', alone)
        alone.add(keyOf({ device: device.name, ...JSON.parse(payload) }))
      },
    })
  }

  #measure(): void {
    for (const device of this.#devices) {
      const count = Math.floor(this.#random.next() * 4)
      for (let i = 0; i < count; i++) {
        const high = this.#random.next() < 0.15
        const value = high ? 90 + Math.floor(this.#random.next() * 10) : 20 + Math.floor(this.#random.next() * 45)
        device.measure(value)
      }
    }
  }

  /** One thing that goes wrong, or is mended. */
  async #fault(): Promise<void> {
    const gateway = this.#any(this.#gateways)
    const [one, other] = [this.#any(this.#gateways), this.#any(this.#gateways)]
    const dice = this.#random.next() * 100
    if (dice < 25) return
    if (dice < 37) this.#drop()
    else if (dice < 46) await this.#crash(gateway, false)
    else if (dice < 49) await this.#crash(gateway, true)
    else if (dice < 60) await this.#startAny()
    else if (dice < 66 && one !== other) {
      this.#log(`cut ${one.name} -> ${other.name}`)
      this.#peers.cut(one.name, other.name)
      if (this.#random.next() < 0.6) this.#peers.cut(other.name, one.name)
    } else if (dice < 76 && one !== other) {
      this.#log(`heal ${one.name} <-> ${other.name}`)
      this.#peers.heal(one.name, other.name)
      this.#peers.heal(other.name, one.name)
    } else if (dice < 79 && one !== other) this.#peers.drop(one.name, other.name)
    else if (dice < 83) {
      this.#log(`${gateway.name} loses the centre`)
      this.#centre.cut(gateway.name)
    } else if (dice < 89) {
      this.#log(`${gateway.name} reaches the centre`)
      this.#centre.heal(gateway.name)
    } else if (dice < 92) {
      this.#log('the link is poor')
      const bad = (): number => this.#random.next() * 0.2
      this.#centre.faults = { loseRequest: bad(), loseAnswer: bad(), disconnect: bad() / 2, staleRead: bad() }
    } else if (dice < 95) this.#centre.faults = NO_FAULTS
    else if (dice < 97) {
      gateway.skew = (this.#random.next() - 0.5) * 20_000
      this.#log(`the clock of ${gateway.name} jumps by ${Math.round(gateway.skew)} ms`)
    } else await this.#clock.advance(this.#random.next() * 8000)
  }

  #drop(): void {
    for (const device of this.#devices) if (this.#random.next() < 0.3) device.drop()
  }

  async #crash(gateway: SimulatedGateway, wipe: boolean): Promise<void> {
    if (!gateway.core) return
    if (!wipe) {
      this.#log(`${gateway.name} loses power`)
      gateway.crash()
      return
    }
    if (!this.#mayBeWiped(gateway)) return
    this.#log(`${gateway.name} loses power and disk`)
    for (const key of this.#alone.get(gateway.name) ?? []) this.#excused.add(key)
    this.#alone.delete(gateway.name)
    gateway.wipe()
  }

  /** What a disk holds of others that are gone, or what others have lost, would be lost with it: only one may go at a time. */
  #mayBeWiped(gateway: SimulatedGateway): boolean {
    const others = this.#gateways.filter((other) => other !== gateway)
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

  async #startAny(): Promise<void> {
    const down = this.#gateways.filter(({ core }) => core === null)
    if (down.length === 0) return
    const gateway = this.#any(down)
    this.#log(`${gateway.name} starts`)
    await this.#wait(gateway.start())
    await this.#wait(this.#setRules(gateway))
  }

  async #setRules({ core }: SimulatedGateway): Promise<void> {
    const rules = { rules: [{ id: RULE, match: {}, above: LIMIT }] }
    await core?.desk.putRules({ set: 'main', given: rules, ifRevision: null }).catch(() => undefined)
  }

  /** Mends everything, and waits until nothing is on its way any more. */
  async #settle(): Promise<void> {
    this.#log('everything is mended')
    this.#centre.faults = NO_FAULTS
    for (const { name } of this.#gateways) this.#centre.heal(name)
    for (const one of this.#gateways)
      for (const other of this.#gateways) if (one !== other) this.#peers.heal(one.name, other.name)
    for (const gateway of this.#gateways) {
      await this.#wait(gateway.start())
      await this.#wait(this.#setRules(gateway))
    }
    const isQuiet = (): boolean =>
      this.#devices.every(({ open }) => open === 0) &&
      this.#gateways.every(({ core }) => {
        const status = core?.outbox.status()
        const isForwarded = status && Object.values(status.lanes).every(({ pending }) => pending === 0)
        return isForwarded && (core?.failover?.replicasOfTheGone() ?? 0) === 0
      })
    try {
      for (let round = 0; round < 3; round++) {
        await this.#clock.runUntil(isQuiet, SETTLE_WITHIN)
        await this.#clock.advance(20_000)
      }
      await this.#clock.runUntil(isQuiet, SETTLE_WITHIN)
    } catch (cause) {
      throw new Error(`the site does not come to rest: ${this.#open()}`, { cause })
    }
    for (const device of this.#devices) device.stop()
  }

  /** What is not done yet. */
  #open(): string {
    const devices = this.#devices.filter(({ open }) => open > 0).map(({ name, open }) => `${name} waits for ${open}`)
    const gateways = this.#gateways.map(({ name, core }) => {
      const { state, lanes } = core?.outbox.status() ?? {}
      return `${name} ${JSON.stringify({ state, lanes, link: core?.forwarder.status(), failover: core?.failover?.describe() })}`
    })
    return [...devices, ...gateways].join('\n')
  }

  async #wait(work: Promise<unknown>): Promise<void> {
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
    await this.#clock.runUntil(() => done, SETTLE_WITHIN)
    if (failed !== null) throw failed
  }

  #any<T>(list: readonly T[]): T {
    const found = list[Math.floor(this.#random.next() * list.length)]
    if (found === undefined) throw new Error('there is none')
    return found
  }

  #log(text: string): void {
    const line = `${String(Math.round(this.#clock.monotonic())).padStart(7)} ${text}`
    this.#story.push(line)
    this.#options.log?.(line)
  }
}

function settingsOf(name: string, names: readonly string[], durability: 'local' | 'replicated'): CoreSettings {
  return {
    site: SITE,
    gateway: name,
    dataDir: '/data',
    ingest: INGEST,
    outbox: {
      maxBytes: 1e9,
      maxAge: Number.POSITIVE_INFINITY,
      whenFull: 'reject',
      retainAcked: { bytes: 1e8, age: 3_600_000 },
      block: { maxRecords: 64, maxBytes: 256 * 1024 },
      minFree: 0,
      reserve: 0,
      compression: false,
    },
    forwarder: {
      site: SITE,
      gateway: name,
      pack: { minBytes: 300, maxBytes: 3000, target: 200, compress: 'none', linger: 5, ackTimeout: 1000 },
      pace: { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY, jitter: 20 },
      breaker: { failures: 5, cooldown: 500 },
      retry: { min: 20, max: 300 },
      stallAfter: 30_000,
      provision: streamPlans({ replicas: 1, storage: 'memory', maxBytes: -1, maxAge: 0 }),
    },
    failover: {
      site: SITE,
      gateway: name,
      peers: names.filter((other) => other !== name),
      durability,
      whenAlone: 'degrade',
      heartbeat: 200,
      awayAfter: 1000,
      takeoverAfter: 3000,
      ackTimeout: 1000,
    },
  }
}
