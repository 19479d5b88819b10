import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import type { Millis } from '../../sync/contract/index.ts'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import type { ClientProfile } from './client-profiles.ts'
import { type Move, MoveTimer } from './move-timer.ts'
import type { PlannedPublish } from './plan.ts'
import type { Receipt } from './receipt.ts'
import { serverOptions } from './servers.ts'

export interface UplinkOptions {
  clientId: string
  /** Gateways; goes to the next when a connection ends. */
  gateways: readonly string[]
  /** Which of them to try first. */
  first: number
  /** Publishes without an acknowledgement at most. */
  window: number
  /** Publishes that wait while there is no room or no connection; the oldest goes when there is one more. */
  buffer: number
  profile: ClientProfile
  /** Which version of MQTT it speaks. */
  version: MqttVersion
  /** More for mqtt.js: credentials, certificates, and what is to differ from the profile. */
  mqtt: IClientOptions
  clock: Clock
  random: Random
  /** Something was acknowledged or forgotten: it may be idle now. */
  onProgress: () => void
  onError: (error: Error) => void
}

/** 4 is MQTT 3.1.1. */
export type MqttVersion = 4 | 5

/** How long a gateway is asked to keep the session of a device that is away: seconds. */
const SESSION_EXPIRY = 3_600

/** MQTT 5: the gateway takes nothing right now; everything else that it says is its last word. */
const QUOTA_EXCEEDED = 0x97
/** How long a device waits then. */
const HOLD_OFF: Millis = 500

export interface UplinkStats {
  online: boolean
  /** Number of the gateway that it is connected to; null while it is not. */
  home: number | null
  /** Publishes handed to the connection (repeats by mqtt.js not counted). */
  published: number
  acknowledged: number
  inFlight: number
  waiting: number
  /** Overwritten in the device's small buffer before they were sent. */
  dropped: number
  /** Connections made after the first. */
  reconnects: number
}

export interface Outgoing {
  publish: PlannedPublish
  receipt: Receipt
}

/** One that has been sent before, and is to be sent again in its place. */
interface Waiting extends Outgoing {
  sent?: number
}

/**
 * One MQTT connection of one device, or of several that share it, as real firmware has it: a small ring buffer, a window of
 * unacknowledged publishes, the same client id for life (clean: false), and the list of gateways.
 *
 * - `connecting`: no connection yet, or a new one on which mqtt.js first repeats, in order, what was not acknowledged on the last;
 * - `online`: sends from the buffer as long as the window has room;
 * - `offline`: the connection ended; mqtt.js dials the next gateway after a while; publishes wait;
 * - `closed`: over; nothing is sent or acknowledged any more.
 *
 * Nothing is handed to mqtt.js unless online, so what counts as attempted really is on its way, in this order.
 */
export class Uplink {
  readonly #options: UplinkOptions
  #state: 'connecting' | 'online' | 'offline' | 'closed' = 'connecting'
  #client: MqttClient
  /** Counts the device's lives: callbacks of an earlier client are none of this one's business. */
  #generation = 0
  #waiting: Waiting[] = []
  #head = 0
  #inFlight = 0
  /** QoS 0 publishes whose bytes the socket has not taken yet; forgotten with the connection. */
  #unwritten = 0
  #published = 0
  #acknowledged = 0
  #dropped = 0
  #connections = 0
  /** Number of the gateway that it was connected to last. */
  #home = 0
  readonly #moves = new MoveTimer()
  /** The gateway takes nothing right now: ends the wait. */
  #holdOff: (() => void) | null = null

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#client = this.#dial()
  }

  get stats(): UplinkStats {
    return {
      online: this.#state === 'online',
      home: this.#state === 'online' ? this.#home : null,
      published: this.#published,
      acknowledged: this.#acknowledged,
      inFlight: this.#inFlight + this.#unwritten,
      waiting: this.#waiting.length - this.#head,
      dropped: this.#dropped,
      reconnects: Math.max(0, this.#connections - 1),
    }
  }

  /** Nothing waits and nothing is in flight. */
  get idle(): boolean {
    return this.#head === this.#waiting.length && this.#inFlight === 0 && this.#unwritten === 0
  }

  offer(outgoing: Outgoing): void {
    if (this.#state === 'closed') return
    this.#waiting.push(outgoing)
    if (this.#waiting.length - this.#head > this.#options.buffer) {
      this.#head++
      this.#dropped++
    }
    this.#pump()
  }

  /**
   * This gateway is killed now.
   *
   * @param onSettled told how the connection moved, or null when it came back to the same gateway, or is over
   * @returns false when it was not connected to that gateway
   */
  gatewayKilled(gateway: number, onSettled: (move: Move | null) => void): boolean {
    if (this.#state !== 'online' || this.#home !== gateway) return false
    this.#moves.killed(gateway, this.#options.clock.monotonic(), onSettled)
    return true
  }

  /** The device lost its memory, the connection is not its own: only what waits is gone. */
  forget(device: string): void {
    this.#waiting = this.#waiting.slice(this.#head).filter(({ publish }) => publish.device !== device)
    this.#head = 0
  }

  /** The device lost power: connection, buffer and everything unacknowledged are gone; then it dials again. */
  restart(): void {
    if (this.#state === 'closed') return
    this.#abandon()
    this.#state = 'connecting'
    this.#client = this.#dial()
  }

  /** Ends the connection: with DISCONNECT if nothing is in flight, else at once. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const inFlight = this.#inFlight + this.#unwritten
    this.#state = 'closed'
    this.#goOn()
    this.#generation++
    this.#moves.forget()
    await this.#client.endAsync(inFlight > 0 || !this.#client.connected)
  }

  #abandon(): void {
    this.#generation++
    this.#moves.forget()
    this.#waiting = []
    this.#head = 0
    this.#inFlight = 0
    this.#unwritten = 0
    this.#client.end(true)
  }

  #dial(): MqttClient {
    const { gateways, first, clientId, profile, version, mqtt: more, clock, onError } = this.#options
    const addresses = serverOptions(gateways, 0).servers ?? []
    const generation = this.#generation
    const options: IClientOptions = {
      protocolVersion: version,
      ...(version === 5 && { properties: { sessionExpiryInterval: SESSION_EXPIRY } }),
      clean: false,
      keepalive: profile.keepalive,
      connectTimeout: profile.connectTimeout,
      reconnectOnConnackError: true,
      resubscribe: false,
      queueQoSZero: false,
      ...more,
      ...serverOptions(gateways, first),
      clientId,
      reconnectPeriod: this.#nextPause(),
    }
    const client = mqtt.connect(options)
    client.on('connect', () => {
      if (generation !== this.#generation) return
      this.#state = 'online'
      this.#connections++
      // mqtt.js keeps the address that it dialled among its options.
      const { host, port } = client.options
      this.#home = Math.max(
        0,
        addresses.findIndex((address) => address.host === host && address.port === port),
      )
      this.#moves.connected(this.#home, clock.monotonic())
      this.#pump()
    })
    client.on('close', () => {
      client.options.reconnectPeriod = this.#nextPause()
      if (generation !== this.#generation) return
      this.#state = 'offline'
      this.#unwritten = 0
      this.#moves.closed(clock.monotonic())
      this.#options.onProgress()
    })
    client.on('error', (error) => {
      if (generation === this.#generation) onError(error)
    })
    return client
  }

  #nextPause(): Millis {
    const [least, most] = this.#options.profile.reconnect
    return Math.max(1, Math.round(least + (most - least) * this.#options.random.next()))
  }

  #pump(): void {
    while (
      this.#holdOff === null &&
      this.#state === 'online' &&
      this.#client.connected &&
      this.#inFlight + this.#unwritten < this.#options.window
    ) {
      const next = this.#waiting[this.#head]
      if (next === undefined) break
      this.#head++
      this.#send(next)
    }
    if (this.#head === this.#waiting.length || this.#head > 1024) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }

  /** Refused, and surely not stored: it is sent again in its place, after a while. */
  #putBack(outgoing: Waiting): void {
    const { sent = 0 } = outgoing
    let at = this.#head
    while ((this.#waiting[at]?.sent ?? Number.POSITIVE_INFINITY) < sent) at++
    this.#waiting.splice(at, 0, outgoing)
    this.#holdOff ??= this.#options.clock.after(HOLD_OFF, () => {
      this.#goOn()
      this.#pump()
    })
  }

  #goOn(): void {
    this.#holdOff?.()
    this.#holdOff = null
  }

  #send(outgoing: Waiting): void {
    const { publish, receipt } = outgoing
    const { topic, payload, qos } = publish
    const generation = this.#generation
    receipt.attempted()
    this.#published++
    outgoing.sent ??= this.#published
    if (qos === 0) this.#unwritten++
    else this.#inFlight++
    this.#client.publish(topic, payload, { qos }, (error) => {
      if (generation !== this.#generation) return
      if (qos === 0) {
        this.#unwritten = Math.max(0, this.#unwritten - 1)
      } else {
        this.#inFlight--
        if (error === null || error === undefined) {
          this.#acknowledged++
          this.#moves.acknowledged(this.#options.clock.monotonic())
          receipt.acknowledged()
        } else if (codeOf(error) === QUOTA_EXCEEDED) this.#putBack(outgoing)
        else {
          // A publish that can never become a reading has been kept as a dead letter: that is an answer, too.
          if (codeOf(error) >= 0x80) {
            this.#acknowledged++
            receipt.acknowledged()
          }
          this.#options.onError(error)
        }
      }
      this.#options.onProgress()
      this.#pump()
    })
  }
}

/** What the gateway said no with (MQTT 5 §2.4); -1 = it has not said anything. */
const codeOf = (error: Error): number => ('code' in error && typeof error.code === 'number' ? error.code : -1)
