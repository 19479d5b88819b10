import type { Socket } from 'node:net'
import type { Clock } from '../../../sync/runtime/index.ts'
import type { MqttCounter, MqttCounters } from './observation.ts'

export interface AdmissionLimits {
  maxConnections: number
  maxConnectionsPerAddress: number
  maxConnectionRate: number
}

/**
 * Counts the open sockets of all listeners, from the moment the operating system hands them over (before TLS or HTTP
 * cost anything), and turns away what is too many. The broker library's own count drifts when client ids are reused.
 */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #clock: Clock
  readonly #counters: MqttCounters
  readonly #sockets = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()
  /** Token bucket of `maxConnectionRate` a second, at most one second's worth. */
  #tokens: number
  #refilled: number
  #whenEmpty: (() => void) | null = null

  constructor(limits: AdmissionLimits, clock: Clock, counters: MqttCounters) {
    this.#limits = limits
    this.#clock = clock
    this.#counters = counters
    this.#tokens = limits.maxConnectionRate
    this.#refilled = clock.monotonic()
  }

  /** Open sockets. */
  get size(): number {
    return this.#sockets.size
  }

  /** @returns false when the socket was one too many: it is closed already */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress === undefined ? null : plainAddress(socket.remoteAddress)
    const reason = this.#refusal(address)
    // A socket can fail at any time, also before anybody else listens for it.
    socket.on('error', () => socket.destroy())
    if (reason !== null) {
      this.#counters.increment(reason)
      socket.destroy()
      return false
    }
    this.#counters.increment('connections.accepted')
    this.#sockets.add(socket)
    if (address !== null) this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    socket.once('close', () => this.#leave(socket, address))
    return true
  }

  /** Cuts every socket and resolves when all are closed. */
  async cutAll(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#sockets.size === 0) return
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
  }

  #refusal(address: string | null): MqttCounter | null {
    if (this.#sockets.size >= this.#limits.maxConnections) return 'connections.refused.total'
    if (address !== null && (this.#byAddress.get(address) ?? 0) >= this.#limits.maxConnectionsPerAddress) {
      return 'connections.refused.address'
    }
    return this.#takeToken() ? null : 'connections.refused.rate'
  }

  #takeToken(): boolean {
    const rate = this.#limits.maxConnectionRate
    if (rate === 0) return true
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(Math.max(1, rate), this.#tokens + ((now - this.#refilled) / 1000) * rate)
    this.#refilled = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  #leave(socket: Socket, address: string | null): void {
    this.#sockets.delete(socket)
    this.#counters.increment('connections.closed')
    if (address !== null) {
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left === 0) this.#byAddress.delete(address)
      else this.#byAddress.set(address, left)
    }
    if (this.#sockets.size === 0) this.#whenEmpty?.()
  }
}

/** A dual-stack listener sees IPv4 peers as IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2). */
const plainAddress = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address)
