import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { UsageError } from '../../sync/contract/index.ts'
import { type Clock, type Random, seededRandom, systemClock } from '../../sync/runtime/index.ts'
import { type Conditions, conditionsOf, type Direction, type Fault, HEALTHY } from './fault.ts'
import type { Protocol } from './frames.ts'
import { Link } from './link.ts'
import type { PipeContext, Traffic } from './pipe.ts'
import { TokenBucket } from './token-bucket.ts'

export interface FaultProxyOptions {
  target: { host?: string; port: number }
  /** Where to listen; by default on a free port of the loopback. */
  listen?: { host?: string; port?: number }
  /** What the server speaks (in plain text), needed for `swallow-messages`. */
  protocol?: Protocol
  /** For the jitter. */
  seed?: number
  clock?: Clock
}

export interface ProxyStats {
  /** Connections that are open now, towards clients. */
  connections: number
  /** Connections accepted since the beginning. */
  accepted: number
  toServer: Readonly<Traffic>
  toClient: Readonly<Traffic>
}

/** Takes back one fault; the others stay. */
export type Release = () => Promise<void>

/**
 * A TCP proxy on which a network can be broken in the ways in which networks break, and healed. Faults are injected and released one by
 * one; all active ones together make the conditions (see `Fault`).
 *
 * What a fault swallowed is gone, and TCP knows no holes: so a connection of which bytes were swallowed is reset when the fault
 * ends. Connections that nobody used meanwhile live on, as they do in reality.
 */
export class FaultProxy {
  readonly host: string
  readonly port: number
  readonly #server: Server
  readonly #options: FaultProxyOptions
  readonly #clock: Clock
  readonly #contexts: Readonly<Record<Direction, PipeContext>>
  readonly #links = new Set<Link>()
  /** Accepted while unreachable: the server never hears of them. */
  readonly #stranded = new Set<Socket>()
  readonly #active = new Set<Fault>()
  #conditions: Conditions = HEALTHY
  #accepted = 0
  #closed = false
  /** Changes of the listening state, one after the other. */
  #listening: Promise<void> = Promise.resolve()

  private constructor(server: Server, options: FaultProxyOptions) {
    const { address, port } = server.address() as AddressInfo
    this.host = address
    this.port = port
    this.#server = server
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const random = seededRandom(options.seed ?? 1)
    this.#contexts = { toServer: this.#context('toServer', random), toClient: this.#context('toClient', random) }
    server.on('connection', (socket) => this.#accept(socket))
  }

  static async listen(options: FaultProxyOptions): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true })
    await listen(server, options.listen?.host ?? '127.0.0.1', options.listen?.port ?? 0)
    return new FaultProxy(server, options)
  }

  /** Breaks the network, on top of what is broken already. */
  async inject(fault: Fault): Promise<Release> {
    if (fault.kind === 'swallow-messages' && this.#options.protocol === undefined) {
      throw new UsageError(
        'FAULT_NEEDS_PROTOCOL',
        "swallow-messages must know the frames: make the proxy with protocol 'nats' or 'mqtt'",
      )
    }
    // An own object: the same fault may be injected twice and released once.
    const active = { ...fault }
    this.#active.add(active)
    await this.#changed()
    return async () => {
      if (this.#active.delete(active)) await this.#changed()
    }
  }

  /** Takes back all faults. */
  async heal(): Promise<void> {
    this.#active.clear()
    await this.#changed()
  }

  /** Resets all connections, once. New ones are accepted as before. */
  reset(): void {
    for (const link of [...this.#links]) link.reset()
    for (const socket of [...this.#stranded]) socket.resetAndDestroy()
  }

  cut(refuse: 'reset' | 'not-listening' = 'reset'): Promise<Release> {
    return this.inject({ kind: 'cut', refuse })
  }

  blackHole(): Promise<Release> {
    return this.inject({ kind: 'black-hole' })
  }

  halfOpen(swallow: Direction): Promise<Release> {
    return this.inject({ kind: 'half-open', swallow })
  }

  /** Lets the clients' messages through and takes the server's answers away. */
  swallowMessages(): Promise<Release> {
    return this.inject({ kind: 'swallow-messages' })
  }

  latency(delay: number, jitter = 0): Promise<Release> {
    return this.inject({ kind: 'latency', delay, jitter })
  }

  bandwidth(bytesPerSecond: number): Promise<Release> {
    return this.inject({ kind: 'bandwidth', bytesPerSecond })
  }

  get faults(): Fault[] {
    return [...this.#active]
  }

  stats(): ProxyStats {
    return {
      connections: this.#links.size + this.#stranded.size,
      accepted: this.#accepted,
      toServer: { ...this.#contexts.toServer.traffic },
      toClient: { ...this.#contexts.toClient.traffic },
    }
  }

  /** Resets what is open and stops listening. */
  async close(): Promise<void> {
    this.#closed = true
    this.reset()
    this.#listening = this.#listening.then(() => this.#listenOrNot())
    await this.#listening
  }

  #context(direction: Direction, random: Random): PipeContext {
    return {
      direction,
      conditions: () => this.#conditions,
      bucket: new TokenBucket(HEALTHY.bytesPerSecond, this.#clock.monotonic()),
      traffic: { received: 0, forwarded: 0, swallowed: 0 },
      clock: this.#clock,
      random,
    }
  }

  async #changed(): Promise<void> {
    const now = conditionsOf(this.#active)
    this.#conditions = now
    for (const { bucket } of Object.values(this.#contexts)) bucket.setRate(now.bytesPerSecond, this.#clock.monotonic())
    if (now.connections !== 'accept') this.reset()
    for (const link of [...this.#links]) {
      if (link.mustBeReset) link.reset()
      else link.wake()
    }
    if (!now.unreachable) for (const socket of [...this.#stranded]) socket.resetAndDestroy()
    const settled = this.#listening.then(() => this.#listenOrNot())
    // A failure is this caller's; the next change must not inherit it.
    this.#listening = settled.catch(() => undefined)
    await settled
  }

  async #listenOrNot(): Promise<void> {
    const wanted = !this.#closed && this.#conditions.connections !== 'refuse'
    if (wanted === this.#server.listening) return
    if (wanted) await listen(this.#server, this.host, this.port)
    else await closed(this.#server)
  }

  #accept(socket: Socket): void {
    if (this.#conditions.connections !== 'accept') {
      socket.resetAndDestroy()
      return
    }
    this.#accepted++
    if (this.#conditions.unreachable) this.#strand(socket)
    else {
      const { host = '127.0.0.1', port } = this.#options.target
      const link = new Link(socket, {
        target: { host, port },
        protocol: this.#options.protocol,
        contexts: this.#contexts,
        onClosed: () => this.#links.delete(link),
      })
      this.#links.add(link)
    }
  }

  #strand(socket: Socket): void {
    const { traffic } = this.#contexts.toServer
    this.#stranded.add(socket)
    socket.on('data', (chunk) => {
      traffic.received += chunk.length
      traffic.swallowed += chunk.length
    })
    // The client gave up: there is nobody to tell.
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.end())
    socket.on('close', () => this.#stranded.delete(socket))
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Resolves when nothing listens any more; all connections must have been destroyed before. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) resolve()
    else server.close(() => resolve())
  })
}
