import { type Core, type CoreSettings, startCore } from '../../gateway/core.ts'
import type { SimulatedPeers } from '../../gateway/failover/link/index.ts'
import type { Batch } from '../../gateway/ingest/index.ts'
import type { Log } from '../../gateway/observe/index.ts'
import { MemoryDisk } from '../../gateway/ports/index.ts'
import { describeError, type Millis } from '../../sync/contract/index.ts'
import type { SimulatedCentre } from '../../sync/link/index.ts'
import { type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import type { Connection, Door } from './device.ts'
import { Stall } from './stall.ts'

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
  #copy: MemoryDisk | null = null
  #core: Core | null = null
  #closers = new Set<() => void>()
  /** What its clock is ahead of the true time. */
  skew: Millis = 0
  /** Of this life: a process that has ended stands still for good. */
  #stall = new Stall()

  constructor(parts: Parts) {
    this.#parts = parts
    this.name = parts.settings.gateway
    this.#disk = this.#newDisk()
  }

  /** What it takes to make it stand still. */
  get stall(): Stall {
    return this.#stall
  }

  get disk(): MemoryDisk {
    return this.#disk
  }

  get hasCopy(): boolean {
    return this.#copy !== null
  }

  get core(): Core | null {
    return this.#core
  }

  async start(): Promise<void> {
    if (this.#core) return
    const { settings, clock, random, centre, peers, log } = this.#parts
    const stall = new Stall()
    this.#stall = stall
    const own: Clock = { ...stall.clock(clock), now: () => clock.now() + this.skew }
    const core = await startCore(settings, {
      clock: own,
      random,
      disk: this.#disk,
      dialer: stall.centre(centre.from(this.name)),
      peers: stall.dialer(peers.dialer(this.name)),
      log: spoken((text) => log(`${this.name}: ${text}`)),
      count: () => undefined,
      heard: () => undefined,
    }).catch((error: unknown) => {
      // The process ends, and leaves nothing open.
      stall.end()
      this.#disk.powerCut()
      log(`${this.name} does not start: ${describeError(error)}`)
      return null
    })
    if (!core) return
    this.#core = core
    core.meetPeers(stall.host(peers.host(this.name)))
  }

  /** The power is gone, at once. */
  crash(): void {
    this.#core = null
    this.#stall.end()
    this.#disk.powerCut()
    this.#parts.peers.stop(this.name)
    this.#parts.centre.cut(this.name)
    for (const close of [...this.#closers]) close()
    this.#closers.clear()
    this.#parts.centre.heal(this.name)
  }

  /** The power is gone, and with it the disk. */
  wipe(): void {
    this.crash()
    this.#disk = this.#newDisk()
  }

  /** A copy of the disk is put aside. */
  backUp(): void {
    this.#copy = this.#disk.copy()
  }

  /** The power is gone, and the disk is replaced by the copy of it. */
  restore(): void {
    this.crash()
    this.#disk = this.#copy ?? this.#disk
    this.#copy = null
  }

  /** Stops in good order. */
  async stop(): Promise<void> {
    const core = this.#core
    this.#core = null
    for (const close of [...this.#closers]) close()
    this.#closers.clear()
    await core?.stop()
    this.#parts.peers.stop(this.name)
  }

  connect(client: string, onClosed: () => void): Connection | null {
    const core = this.#core
    if (!core) return null
    const { clock } = this.#parts
    const stall = this.#stall
    const close = (): void => {
      this.#closers.delete(closed)
    }
    const closed = (): void => {
      close()
      onClosed()
    }
    this.#closers.add(closed)
    // What the direct way of a broker does: what is plain is answered with its batch, everything else by itself, all in their order.
    let batch: Batch | null = null
    let packetId = 0
    const waiting = new Map<number, (error: Error | null) => void>()
    const answer = (id: number, error: Error | null): void => {
      const acked = waiting.get(id)
      waiting.delete(id)
      // A process that has ended says nothing any more.
      if (this.#core === core) acked?.(error)
    }
    const settled = ({ packetIds }: Batch, error: Error | null): void => {
      for (const id of packetIds) answer(id, error)
    }
    return {
      publish: (payload, dup, acked) => {
        const data = Buffer.from(payload)
        const publish = { topic: `sensors/${client}/m`, qos: 1 as const, dup }
        stall.pass(() => {
          if (this.#core !== core) return
          const id = ++packetId
          waiting.set(id, acked)
          const received = clock.now() + this.skew
          const view = new DataView(data.buffer, data.byteOffset, data.length)
          const span = { ...publish, data, view, payloadStart: 0, end: data.length, packetId: id }
          batch = core.acceptor.acceptPlain(span, received, batch, settled)
          if (batch !== null) return
          const whole = { ...publish, clientId: client, payload: data, messageId: id, received, offered: true as const }
          core.acceptor.accept(whole, (error) => answer(id, error))
        })
      },
      close,
    }
  }

  /** A write takes a while, so that a power cut can come in the middle of it. */
  #newDisk(): MemoryDisk {
    const { clock, random } = this.#parts
    return new MemoryDisk(() => pause(this.#stall.clock(clock), random.next() * WRITE))
  }
}

/** A log that somebody reads. */
function spoken(say: (text: string) => void): Log {
  const line = (fields: object, message: string): void => say(`${message} ${JSON.stringify(fields)}`)
  return { debug: () => undefined, info: line, warn: line, error: line }
}
