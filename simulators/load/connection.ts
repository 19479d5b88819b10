import { connect, type Socket } from 'node:net'
import type { Millis } from '../../sync/contract/index.ts'
import { AckParser } from './acks.ts'
import { FIRST_SEQ, type FrameOptions, FrameRing } from './frames.ts'
import type { Histogram } from './histogram.ts'
import { type ConnectOptions, connectFrame, DISCONNECT } from './packets.ts'
import { Window } from './window.ts'

export interface LoadConnectionOptions extends ConnectOptions, Omit<FrameOptions, 'slots'> {
  server: { host: string; port: number }
  /** Publishes without an acknowledgement at most. */
  inFlight: number
  /** Sends so many publishes in all. */
  count: number
  latencies: Histogram
  /** Something was acknowledged, connected, or lost. */
  onProgress: () => void
  /** MQTT 5: the server said that it did not take a publish. */
  onRefusedPublish: (reason: number) => void
}

const RECONNECT_AFTER: Millis = 200

/** Room for what one read brings: some hundred acknowledgements. */
const READ_BYTES = 1_024

/** Reason codes of MQTT 5 from here on say that it failed (§2.4). */
const REFUSED = 0x80

/**
 * One publisher on a raw socket.
 *
 * - `new`: until it is told to dial;
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
  readonly #received = Buffer.alloc(READ_BYTES)
  #state: 'new' | 'connecting' | 'open' | 'waiting' | 'closed' = 'new'
  #socket: Socket | undefined
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
      connected: (code, receiveMaximum) => this.#connected(code, receiveMaximum),
      acknowledged: (packetId, reason) => {
        if (reason >= REFUSED) options.onRefusedPublish(reason)
        const sentAt = this.#window.acknowledge(packetId - 1)
        if (sentAt >= 0) this.#options.latencies.record((this.#now - sentAt) * 1_000)
      },
    })
  }

  /** Connects, and from then on again whenever the connection ends. */
  dial(): void {
    this.#state = 'connecting'
    this.#socket = this.#connect()
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  /** Code of the CONNACK that refused it, if one did. */
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

  /** Publishes that may be sent and were not yet. */
  get credit(): number {
    return this.#credit
  }

  /** What a ledger needs to know. */
  get record(): { firstSeq: number; sent: number; acknowledged: number } {
    return { firstSeq: FIRST_SEQ, sent: this.#window.sent, acknowledged: this.#window.acknowledgedInOrder }
  }

  /** Lets it send so many more publishes (Infinity: as fast as they are acknowledged). */
  grant(publishes: number): void {
    this.#credit += publishes
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
    if (open && this.idle) this.#socket?.end(DISCONNECT)
    else this.#socket?.destroy()
  }

  #connect(): Socket {
    this.#parser.reset()
    const onread = {
      // Read past the stream, into the same bytes again: with one acknowledgement a read, a stream would cost more than the rest.
      buffer: this.#received,
      callback: (length: number): boolean => {
        // One look at the clock for all acknowledgements of a read: they came together.
        this.#now = performance.now()
        this.#parser.push(this.#received, length)
        this.#send()
        this.#options.onProgress()
        return true
      },
    }
    const socket = connect({ ...this.#options.server, noDelay: true, onread })
    socket.on('connect', () => socket.write(connectFrame(this.#options)))
    // The 'close' that follows every error does what there is to do.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#lost(socket))
    return socket
  }

  #connected(code: number, receiveMaximum: number): void {
    const socket = this.#socket
    if (socket === undefined) return
    if (code !== 0) {
      this.#refused = code
      socket.destroy()
      return
    }
    this.#refused = undefined
    this.#state = 'open'
    // What is repeated is not held to it: it was in flight with this server's blessing before.
    this.#window.limit(receiveMaximum)
    for (const { first, count } of this.#window.unacknowledged()) {
      for (let slot = first; slot < first + count; slot++) this.#ring.markDuplicate(slot)
      socket.write(this.#ring.frames(first, count))
    }
  }

  #lost(socket: Socket): void {
    if (this.#state === 'closed' || socket !== this.#socket) return
    if (this.#state === 'open') this.#disconnects++
    this.#state = 'waiting'
    this.#retry = setTimeout(() => this.dial(), RECONNECT_AFTER)
    this.#options.onProgress()
  }

  #send(): void {
    const socket = this.#socket
    if (socket === undefined || this.#state !== 'open') return
    const wanted = Math.min(this.#credit, this.#options.count - this.#window.sent)
    if (wanted <= 0 || this.#window.room === 0) return
    const now = performance.now()
    const time = Date.now()
    const first = this.#fill(wanted, now, time)
    // The free slots may go on at the ring's beginning.
    const second = this.#fill(wanted - first.length / this.#ring.frameLength, now, time)
    if (second.length === 0) socket.write(first)
    else {
      // Corking costs more than it saves when there is one write anyway.
      socket.cork()
      socket.write(first)
      socket.write(second)
      socket.uncork()
    }
  }

  /** Fills free slots that lie side by side. @returns their frames */
  #fill(wanted: number, now: number, time: Millis): Buffer {
    const { first, count } = this.#window.take(wanted, now)
    for (let slot = first; slot < first + count; slot++) this.#ring.fill(slot, time)
    this.#credit -= count
    return this.#ring.frames(first, count)
  }
}
