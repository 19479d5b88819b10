import { type Core, type CoreSettings, startCore } from '../../gateway/core.ts'
import type { SimulatedPeers } from '../../gateway/failover/link/index.ts'
import type { Log } from '../../gateway/observe/index.ts'
import { MemoryDisk } from '../../gateway/ports/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import type { SimulatedCentre } from '../../sync/link/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { Connection, Door } from './device.ts'

/** Longest time until a write has its effect, and as long again until it is answered. */
const WRITE: Millis = 2

interface Parts {
  settings: CoreSettings
  clock: Clock
  random: Random
  centre: SimulatedCentre
  peers: SimulatedPeers
  /** What it says about itself, for whoever looks into a failing seed. */
  log(text: string): void
}

/**
 * One gateway of a simulated site: all of it but its sockets.
 *
 *     down --start--> up --crash, wipe--> down        (a crash is a power cut: what was not synced is gone)
 */
export class SimulatedGateway implements Door {
  readonly name: string
  readonly #parts: Parts
  #disk: MemoryDisk
  #core: Core | null = null
  #life = 0
  #closers = new Set<() => void>()
  /** What its clock is ahead of the true time. */
  skew: Millis = 0
  /** Cores that were cut off in the middle of something, and end by themselves. */
  readonly #ending = new Set<Promise<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
    this.name = parts.settings.gateway
    this.#disk = this.#newDisk()
  }

  get core(): Core | null {
    return this.#core
  }

  async start(): Promise<void> {
    if (this.#core) return
    const { settings, clock, random, centre, peers, log } = this.#parts
    const life = ++this.#life
    const skewed: Clock = { ...ticking(clock), now: () => clock.now() + this.skew }
    const core = await startCore(settings, {
      clock: skewed,
      random,
      disk: this.#disk,
      dialer: centre.from(this.name),
      peers: peers.dialer(this.name),
      log: spoken((text) => log(`${this.name}: ${text}`)),
      count: () => undefined,
      heard: () => undefined,
    })
    if (life !== this.#life) {
      this.#end(core)
      return
    }
    this.#core = core
    core.meetPeers(peers.host(this.name))
  }

  /** The power is gone, at once. */
  crash(): void {
    const core = this.#core
    this.#life++
    this.#core = null
    this.#disk.powerCut()
    this.#parts.peers.stop(this.name)
    this.#parts.centre.cut(this.name)
    for (const close of [...this.#closers]) close()
    this.#closers.clear()
    if (core) this.#end(core)
    this.#parts.centre.heal(this.name)
  }

  /** The power is gone, and with it the disk. */
  wipe(): void {
    this.crash()
    this.#disk = this.#newDisk()
  }

  /** Stops in good order. */
  async stop(): Promise<void> {
    const core = this.#core
    this.#life++
    this.#core = null
    for (const close of [...this.#closers]) close()
    this.#closers.clear()
    await core?.stop()
    this.#parts.peers.stop(this.name)
  }

  /** Resolves when nothing of its earlier lives runs any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#ending)
  }

  connect(client: string, onClosed: () => void): Connection | null {
    const core = this.#core
    if (!core) return null
    const { clock } = this.#parts
    const close = (): void => {
      this.#closers.delete(closed)
    }
    const closed = (): void => {
      close()
      onClosed()
    }
    this.#closers.add(closed)
    return {
      publish: (payload, dup, acked) => {
        if (this.#core !== core) return
        const publish = {
          clientId: client,
          topic: `sensors/${client}/m`,
          payload: Buffer.from(payload),
          qos: 1 as const,
          dup,
        }
        core.acceptor.accept({ ...publish, messageId: 1, received: clock.now() + this.skew }, (error) => {
          // A process that has ended says nothing any more.
          if (this.#core === core) acked(error)
        })
      },
      close,
    }
  }

  /** A write takes a while, so that a power cut can come in the middle of it. */
  #newDisk(): MemoryDisk {
    const { clock, random } = this.#parts
    return new MemoryDisk(() => pause(clock, random.next() * WRITE))
  }

  #end(core: Core): void {
    const ending = core.stop().catch(() => undefined)
    this.#ending.add(ending)
    void ending.then(() => this.#ending.delete(ending))
  }
}

/** A log that somebody reads. */
function spoken(say: (text: string) => void): Log {
  const line = (fields: object, message: string): void => say(`${message} ${JSON.stringify(fields)}`)
  return { debug: () => undefined, info: line, warn: line, error: line }
}

const ticking = (clock: Clock): Omit<Clock, 'now'> => ({
  monotonic: () => clock.monotonic(),
  after: (delay, callback) => clock.after(delay, callback),
  soon: (callback) => clock.soon(callback),
})
