import { connect, type Socket } from 'node:net'
import type { Millis } from '../../sync/contract/index.ts'
import { AckParser } from './acks.ts'
import { type ConnectOptions, connectFrame, DISCONNECT, FIRST_SEQ, FrameRing } from './frames.ts'
import type { Histogram } from './histogram.ts'
import { Window } from './window.ts'

export interface LoadConnectionOptions extends ConnectOptions {
  server: { host: string; port: number }
  topic: string
  device: string
  session: string
  series?: number
  /** Publishes without an acknowledgement at most. */
  inFlight: number
  /** Sends so many readings in all. */
  count: number
  latencies: Histogram
  /** Something was acknowledged, connected, or lost. */
  onProgress: () => void
}

const RECONNECT_AFTER: Millis = 200

/**
 * One publisher on a raw socket.
 *
 * - `connecting`: dials, sends CONNECT, waits for CONNACK, then repeats what was in flight on the last connection;
 * - `open`: sends as long as it has credit and its window has room;
 * - `waiting`: the connection ended; dials again in a moment;
 * - `closed`: over.
 */
export class LoadConnection {
  readonly device: string
  readonly #options: LoadConnectionOptions
  readonly #ring: FrameRing
  readonly #window: Window
  readonly #parser: AckParser
  #state: 'connecting' | 'open' | 'waiting' | 'closed' = 'connecting'
  #socket: Socket
  #credit = 0
  #now = 0
  #disconnects = 0
  #refused: number | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(options: LoadConnectionOptions) {
    this.device = options.device
    this.#options = options
    this.#ring = new FrameRing({ ...options, slots: options.inFlight })
    this.#window = new Window(options.inFlight)
    this.#parser = new AckParser({
      connected: (returnCode) => this.#connected(returnCode),
      acknowledged: (packetId) => {
        const sentAt = this.#window.acknowledge(packetId - 1)
        if (sentAt >= 0) this.#options.latencies.record((this.#now - sentAt) * 1_000)
      },
    })
    this.#socket = this.#dial()
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  /** Return code of the CONNACK that refused it, if one did. */
  get refused(): number | undefined {
    return this.#refused
  }

  get disconnects(): number {
    return this.#disconnects
  }

  get sent(): number {
    return this.#window.sent
  }

  get acknowledged(): number {
    return this.#window.acknowledged
  }

  /** All it was to send is acknowledged. */
  get finished(): boolean {
    return this.#window.acknowledgedInOrder >= this.#options.count
  }

  get idle(): boolean {
    return this.#window.inFlight === 0
  }

  /** Readings that may be sent and were not yet. */
  get credit(): number {
    return this.#credit
  }

  /** What a ledger needs to know. */
  get record(): { firstSeq: number; sent: number; acknowledged: number } {
    return { firstSeq: FIRST_SEQ, sent: this.#window.sent, acknowledged: this.#window.acknowledgedInOrder }
  }

  /** Lets it send so many more readings (Infinity: as fast as they are acknowledged). */
  grant(readings: number): void {
    this.#credit += readings
    this.#send()
  }

  /** Nothing new from now on. */
  halt(): void {
    this.#credit = 0
  }

  close(): void {
    const { open } = this
    this.#state = 'closed'
    clearTimeout(this.#retry)
    if (open && this.idle) this.#socket.end(DISCONNECT)
    else this.#socket.destroy()
  }

  #dial(): Socket {
    const socket = connect({ ...this.#options.server, noDelay: true })
    this.#parser.reset()
    socket.on('connect', () => socket.write(connectFrame(this.#options)))
    socket.on('data', (chunk) => {
      // One look at the clock for all acknowledgements of a read: they came together.
      this.#now = performance.now()
      this.#parser.push(chunk)
      this.#send()
      this.#options.onProgress()
    })
    // The 'close' that follows every error does what there is to do.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#lost(socket))
    return socket
  }

  #connected(returnCode: number): void {
    if (returnCode !== 0) {
      this.#refused = returnCode
      this.#socket.destroy()
      return
    }
    this.#refused = undefined
    this.#state = 'open'
    for (const { first, count } of this.#window.unacknowledged()) {
      for (let slot = first; slot < first + count; slot++) this.#ring.markDuplicate(slot)
      this.#socket.write(this.#ring.frames(first, count))
    }
  }

  #lost(socket: Socket): void {
    if (this.#state === 'closed' || socket !== this.#socket) return
    if (this.#state === 'open') this.#disconnects++
    this.#state = 'waiting'
    this.#retry = setTimeout(() => {
      this.#state = 'connecting'
      this.#socket = this.#dial()
    }, RECONNECT_AFTER)
    this.#options.onProgress()
  }

  #send(): void {
    if (this.#state !== 'open') return
    const wanted = Math.min(this.#credit, this.#options.count - this.#window.sent)
    if (wanted <= 0 || this.#window.room === 0) return
    const now = performance.now()
    const time = Date.now()
    this.#socket.cork()
    for (let left = wanted; left > 0; ) {
      const { first, count } = this.#window.take(left, now)
      if (count === 0) break
      for (let slot = first; slot < first + count; slot++) this.#ring.fill(slot, time)
      this.#socket.write(this.#ring.frames(first, count))
      this.#credit -= count
      left -= count
    }
    this.#socket.uncork()
  }
}
