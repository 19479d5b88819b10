import type { IClientOptions } from 'mqtt'
import type { Millis } from '../../sync/contract/index.ts'
import { type Clock, type Random, seededRandom, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import type { Ledger } from '../ledger/index.ts'
import { deriveSeed } from '../signals/index.ts'
import { CLIENT_PROFILES, type ClientProfileName } from './client-profiles.ts'
import type { DeviceSpec } from './device.ts'
import type { Move } from './move-timer.ts'
import { DevicePlan, type PlannedPublish } from './plan.ts'
import { type Receipt, receiptFor } from './receipt.ts'
import { firstGateway } from './spread.ts'
import { type MqttVersion, Uplink } from './uplink.ts'

export interface FleetOptions {
  devices: readonly DeviceSpec[]
  /** Gateways, `mqtt://host:port`; devices begin with different ones and go to the next when theirs dies. */
  gateways: readonly string[]
  ledger: Ledger
  /** Samples a second of each device (a sample is one reading of each of its metrics). */
  rate: number
  /** Each device stops after so many samples; without end by default. */
  limit?: number
  seed?: number
  /** Names this run in client ids and sessions; random by default, so that no gateway takes it for an earlier run. */
  run?: string
  /** Shares so many connections among all devices, as a field-bus master does; one a device by default. */
  connections?: number
  /** Unacknowledged publishes of one connection. */
  window?: number
  /** Publishes that one device can hold back while it is not connected. */
  buffer?: number
  /** How its clients connect and connect again; `firmware` unless said. */
  client?: ClientProfileName
  /** Which version of MQTT its clients speak, 4 being 3.1.1; every other device the other one if `mixed`. 4 unless said. */
  version?: MqttVersion | 'mixed'
  /** Another pause before another attempt to connect than the profile's. */
  reconnect?: readonly [Millis, Millis]
  /** Credentials, certificates and the like, for mqtt.js. */
  mqtt?: IClientOptions
  clock?: Clock
  /** Stops the fleet as `stop()` does. */
  signal?: AbortSignal
  /** Errors of connections (refused, reset, ...): expected when gateways die. */
  onError?: (error: Error) => void
}

export interface FleetStats {
  devices: number
  connections: number
  online: number
  /** Of these, how many at each gateway of the list. */
  homes: readonly number[]
  /** Publishes handed to a connection; spoiled ones and repeats included. */
  published: number
  acknowledged: number
  inFlight: number
  waiting: number
  dropped: number
  reconnects: number
  /** Times that a device started again. */
  restarts: number
}

export interface FleetSummary extends FleetStats {
  /** Nothing was waiting or in flight any more when the fleet stopped. */
  clean: boolean
}

/** How often devices are looked at whether they are due. */
const TICK: Millis = 10
/** A device that was kept from running (a frozen process) does not make up for more than this. */
const MOST_ARREARS: Millis = 250

interface Device {
  plan: DevicePlan
  uplink: Uplink
  due: Millis
  samples: number
}

/**
 * Simulated devices on real MQTT connections. Begins at once.
 *
 * - `running`: devices are sampled at their rate and send, wait, reconnect and repeat as firmware does;
 * - `finishing`: every device has reached its limit; waits for the last acknowledgements;
 * - `stopping`: no more samples, what is held back is sent, acknowledgements are waited for until the deadline;
 * - `stopped`: all connections are closed; `done` resolves.
 */
export class Fleet {
  readonly run: string
  /** Resolves when the fleet has stopped; rejects when the ledger could not be written, because then nothing can be verified. */
  readonly done: Promise<FleetSummary>
  readonly #devices: Device[]
  readonly #uplinks: Uplink[]
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #limit: number
  readonly #gateways: number
  readonly #moves: Move[] = []
  readonly #random: Random
  #period: Millis
  #cancelTick: () => void = () => undefined
  #restarts = 0
  #state: 'running' | 'finishing' | 'stopping' | 'stopped' = 'running'
  #onIdle: (() => void) | undefined
  #resolveDone: (summary: FleetSummary) => void = () => undefined
  #rejectDone: (error: unknown) => void = () => undefined

  private constructor(options: FleetOptions) {
    const { seed = 1, clock = systemClock, ledger, signal } = options
    this.run = options.run ?? systemRandom.hex(4)
    this.#ledger = ledger
    this.#clock = clock
    this.#limit = options.limit ?? Number.POSITIVE_INFINITY
    this.#gateways = options.gateways.length
    this.#random = seededRandom(deriveSeed(seed, 'fleet'))
    this.#period = periodOf(options.rate)
    this.done = new Promise((resolve, reject) => {
      this.#resolveDone = resolve
      this.#rejectDone = reject
    })
    ledger.addRun(this.run)
    const count = Math.min(options.connections ?? options.devices.length, options.devices.length)
    const sharing = Math.ceil(options.devices.length / Math.max(1, count))
    const now = clock.monotonic()
    const plans = options.devices.map((spec) => new DevicePlan(spec, { seed, run: this.run }))
    for (const plan of plans) {
      const { device } = plan.spec
      for (const { topic, metric } of plan.topics()) {
        ledger.addTopic(topic, metric === undefined ? { device } : { device, metric })
      }
    }
    this.#uplinks = Array.from({ length: count }, (_, index) => this.#makeUplink(options, index, sharing))
    this.#devices = plans.flatMap((plan, index) => {
      const uplink = this.#uplinks[index % count]
      return uplink === undefined ? [] : [{ plan, uplink, due: this.#firstDue(now), samples: 0 }]
    })
    signal?.addEventListener('abort', () => void this.stop(), { once: true })
    this.#scheduleTick()
    if (signal?.aborted) void this.stop()
  }

  /** @throws UsageError `GATEWAY_URL_INVALID`, `DEVICE_SPEC_INVALID` */
  static start(options: FleetOptions): Fleet {
    return new Fleet(options)
  }

  /** How connections got away from gateways that were killed, one entry a connection and kill, in the order of arrival. */
  get moves(): readonly Move[] {
    return this.#moves
  }

  /**
   * This gateway is killed now: call it just before, so that the time that every connection takes to get to another one is known.
   *
   * @returns how those moved that were connected to it, once all of them have moved, came back or are over
   */
  gatewayKilled(gateway: number): Promise<readonly Move[]> {
    const moves: Move[] = []
    return new Promise((resolve) => {
      let left = 1
      const settle = (move: Move | null): void => {
        if (move !== null) {
          moves.push(move)
          this.#moves.push(move)
        }
        if (--left === 0) resolve(moves)
      }
      for (const uplink of this.#uplinks) if (uplink.gatewayKilled(gateway, settle)) left++
      settle(null)
    })
  }

  stats(): FleetStats {
    const homes = Array.from({ length: this.#gateways }, () => 0)
    const stats: FleetStats = {
      devices: this.#devices.length,
      connections: this.#uplinks.length,
      online: 0,
      homes,
      published: 0,
      acknowledged: 0,
      inFlight: 0,
      waiting: 0,
      dropped: 0,
      reconnects: 0,
      restarts: this.#restarts,
    }
    for (const { stats: uplink } of this.#uplinks) {
      stats.online += uplink.online ? 1 : 0
      if (uplink.home !== null) homes[uplink.home] = (homes[uplink.home] ?? 0) + 1
      stats.published += uplink.published
      stats.acknowledged += uplink.acknowledged
      stats.inFlight += uplink.inFlight
      stats.waiting += uplink.waiting
      stats.dropped += uplink.dropped
      stats.reconnects += uplink.reconnects
    }
    return stats
  }

  /** Samples a second of each device from now on; 0 pauses. */
  setRate(rate: number): void {
    this.#period = periodOf(rate)
    const now = this.#clock.monotonic()
    for (const device of this.#devices) device.due = this.#firstDue(now)
  }

  /**
   * Stops sampling, sends what is held back, waits up to `within` for the acknowledgements of what is on its way, closes the
   * connections. What is not acknowledged then stays attempted in the ledger, and may or may not be in the stream.
   */
  stop(options: { within?: Millis } = {}): Promise<FleetSummary> {
    if (this.#state === 'running' || this.#state === 'finishing') {
      this.#flushPlans()
      this.#state = 'stopping'
      void this.#finish(options.within ?? 5_000)
    }
    return this.done
  }

  #makeUplink(options: FleetOptions, index: number, sharing: number): Uplink {
    const profile = CLIENT_PROFILES[options.client ?? 'firmware']
    return new Uplink({
      clientId: `${sharing === 1 ? (options.devices[index]?.device ?? 'device') : 'fleet'}-${this.run}-${index}`,
      gateways: options.gateways,
      first: firstGateway(index, Math.max(1, options.gateways.length)),
      window: options.window ?? 20,
      buffer: (options.buffer ?? 1_000) * sharing,
      version: versionOf(index, options.version ?? 4),
      profile: options.reconnect === undefined ? profile : { ...profile, reconnect: options.reconnect },
      mqtt: options.mqtt ?? {},
      clock: this.#clock,
      random: this.#random,
      onProgress: () => this.#onIdle?.(),
      onError: options.onError ?? (() => undefined),
    })
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#clock.after(TICK, () => {
      if (this.#state !== 'running') return
      this.#tick()
      if (this.#state === 'running') this.#scheduleTick()
    })
  }

  #tick(): void {
    const now = this.#clock.monotonic()
    let finished = 0
    for (const device of this.#devices) {
      device.due = Math.max(device.due, now - MOST_ARREARS)
      while (device.due <= now && device.samples < this.#limit) {
        device.due += this.#period
        device.samples++
        this.#sample(device)
      }
      if (device.samples >= this.#limit) finished++
    }
    if (finished < this.#devices.length) return
    this.#flushPlans()
    this.#state = 'finishing'
    void this.#finish(Number.POSITIVE_INFINITY)
  }

  #sample(device: Device): void {
    const { restarted, publishes } = device.plan.sample(this.#clock.now())
    if (restarted) {
      this.#restarts++
      if (this.#uplinks.length === this.#devices.length) device.uplink.restart()
      else device.uplink.forget(device.plan.spec.device)
    }
    this.#offer(device, publishes)
  }

  #flushPlans(): void {
    for (const device of this.#devices) this.#offer(device, device.plan.flush())
  }

  #offer(device: Device, publishes: readonly PlannedPublish[]): void {
    for (const publish of publishes) {
      this.#orBreak(() => device.uplink.offer({ publish, receipt: this.#guarded(receiptFor(this.#ledger, publish)) }))
    }
  }

  #guarded(receipt: Receipt): Receipt {
    return {
      attempted: () => this.#orBreak(receipt.attempted),
      acknowledged: () => this.#orBreak(receipt.acknowledged),
    }
  }

  /** Without its ledger a fleet proves nothing: better no fleet. */
  #orBreak(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#rejectDone(error)
      void this.stop({ within: 0 })
    }
  }

  async #finish(within: Millis): Promise<void> {
    this.#cancelTick()
    await this.#settled(within)
    // A stop() that came while this was finishing has its own deadline, and closes.
    if (this.#state === 'finishing') this.#state = 'stopping'
    else if (within === Number.POSITIVE_INFINITY) return
    const clean = this.#uplinks.every((uplink) => uplink.idle)
    await Promise.all(this.#uplinks.map((uplink) => uplink.close()))
    this.#state = 'stopped'
    this.#resolveDone({ ...this.stats(), clean })
  }

  /** Resolves when every uplink is idle, or after `within`. */
  #settled(within: Millis): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#uplinks.every((uplink) => uplink.idle)) settle()
      }
      const settle = (): void => {
        cancel()
        if (this.#onIdle === check) this.#onIdle = undefined
        resolve()
      }
      const cancel = Number.isFinite(within) ? this.#clock.after(within, settle) : () => undefined
      this.#onIdle = check
      check()
    })
  }

  /** Spreads the devices over one period, so that they do not all speak at once. */
  #firstDue(now: Millis): Millis {
    return Number.isFinite(this.#period) ? now + this.#period * this.#random.next() : Number.POSITIVE_INFINITY
  }
}

const periodOf = (rate: number): Millis => (rate > 0 ? 1_000 / rate : Number.POSITIVE_INFINITY)

const versionOf = (index: number, version: MqttVersion | 'mixed'): MqttVersion =>
  version === 'mixed' ? (index % 2 === 0 ? 5 : 4) : version
