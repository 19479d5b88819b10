import { Duplex } from 'node:stream'
import type { Bytes } from '../../../sync/contract/index.ts'
import { AckWriter } from './ack-writer.ts'
import type { Guard, Voice } from './guard.ts'
import { type Violation, violation } from './violation.ts'
import type { Wire } from './wire.ts'

/** Up to this size, the pieces of one write are copied together: one system call, one TLS record or WebSocket frame. */
const JOIN_BELOW: Bytes = 64 * 1024

/** Read-ahead: what the broker has not taken yet. */
const READ_AHEAD: Bytes = 64 * 1024

export interface GuardedSocketOptions {
  guard: Guard
  /** Bytes held by publishes under way (`hold`) at which the socket is no longer read. */
  maxInflightBytes: Bytes
  onViolation(violation: Violation): void
  /** The client does not read its acknowledgements: call `resume` when it does (or the connection is gone). */
  onClogged(resume: () => void): void
}

/**
 * The connection a broker is given: everything read from the wire (TCP, TLS, WebSocket stream, Unix) has passed the
 * frame guard, and everything written in one turn of the event loop leaves as one write.
 *
 *     awaiting-connect ── CONNECT ──▶ connecting ── `accept` ──▶ accepted
 *            └── violation, `hangUp` ──────┴──────────────────────┴──▶ refused ──▶ destroyed
 *
 * While connecting, the socket rests: the library would handle a packet that comes before it has handled CONNECT as if the
 * client were authenticated already. It also rests while the broker's buffer is full, while too much is in flight, and
 * after `rest`. From `refused` on nothing more reaches the broker.
 *
 * Backpressure goes through in both directions: a resting connection leaves its bytes in the kernel, and a write
 * completes when the socket took it. A client that does not read its acknowledgements is not read either.
 *
 * `acknowledge`, `send` and the library write to one and the same stream, whole packets in the order of the calls. With a
 * voice, the library is not heard, and the last word is the voice's.
 */
export class GuardedSocket extends Duplex {
  readonly #wire: Wire
  readonly #socket: Duplex
  readonly #options: GuardedSocketOptions
  #state: 'awaiting-connect' | 'connecting' | 'accepted' | 'refused' = 'awaiting-connect'
  /** The broker has room for more. */
  #wanted = false
  #rested = false
  /** What `#adjust` last told the socket. */
  #reading = false
  #inflight = 0
  /** Wait until nothing is in flight. */
  readonly #waiting: (() => void)[] = []
  #maxInflightBytes: Bytes
  /** Acknowledgements wait for a client that does not read them. */
  #clogged = false
  readonly #acks = new AckWriter((packets) => this.#writeOwn(packets))
  #written: (() => void) | null = null
  #voice: Voice | null = null
  /** What is sent waits for the end of the turn. */
  #gathering = false

  constructor(wire: Wire, options: GuardedSocketOptions) {
    super({ allowHalfOpen: false, readableHighWaterMark: READ_AHEAD })
    const { stream: socket } = wire
    this.#wire = wire
    this.#socket = socket
    this.#options = options
    this.#maxInflightBytes = options.maxInflightBytes
    socket.pause()
    wire.read((chunk) => this.#receive(chunk))
    socket.on('end', () => {
      if (this.#state !== 'refused') this.push(null)
    })
    socket.on('drain', () => this.#drained())
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  /** Bytes written but not yet taken by the operating system. */
  get backlog(): Bytes {
    return this.writableLength + this.#socket.writableLength
  }

  /** The client has said that it goes (DISCONNECT). */
  get finished(): boolean {
    return this.#options.guard.state === 'ended'
  }

  /** The client may send more than others. */
  widen(limits: { maxPublishBytes: Bytes; maxInflightBytes: Bytes }): void {
    this.#maxInflightBytes = limits.maxInflightBytes
    this.#options.guard.widen(limits.maxPublishBytes)
  }

  /** The broker has handled CONNECT, and everything that came with it: read on. */
  accept(): void {
    if (this.#state !== 'connecting') return
    this.#state = 'accepted'
    this.#adjust()
  }

  /** A publish of `bytes` is under way: enough of them, and the socket rests. */
  hold(bytes: Bytes): void {
    this.#inflight += bytes
    if (this.#inflight >= this.#maxInflightBytes) this.#adjust()
  }

  /** The publish of `bytes` is finished, well or badly. */
  settle(bytes: Bytes): void {
    this.#inflight -= bytes
    if (!this.#reading) this.#adjust()
    // Whoever settles acknowledges in the same turn, but behind this.
    if (this.#inflight === 0 && this.#waiting.length > 0)
      for (const wake of this.#waiting.splice(0)) process.nextTick(wake)
  }

  /** Resolves when every publish is finished that has come so far; at once when all are. */
  whenIdle(): Promise<void> {
    return this.#inflight === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Answers a QoS 1 publish with PUBACK; nothing happens when the connection is over. */
  acknowledge(packetId: number): void {
    this.#acks.add(packetId)
  }

  /** From now on `voice` speaks to the client. */
  lend(voice: Voice): void {
    this.#voice = voice
  }

  /** Writes a whole packet, together with what else is written in this turn; nothing happens when the connection is over. */
  send(packet: Buffer): void {
    this.#acks.flush()
    if (!this.#gathering) {
      this.#gathering = true
      this.cork()
      process.nextTick(letGo, this)
    }
    this.#writeOwn(packet)
  }

  /** Lets go what `send` has gathered. */
  flush(): void {
    if (!this.#gathering) return
    this.#gathering = false
    this.uncork()
  }

  /** Reads no more, for good: what is in flight may still be answered. */
  rest(): void {
    this.#rested = true
    this.#adjust()
  }

  /** Sends what has been written, says goodbye and takes nothing more; the connection is gone when the client agrees. */
  hangUp(): void {
    if (this.#state === 'refused' || this.destroyed) return
    this.#acks.flush()
    const last = this.#voice?.farewell() ?? null
    if (last !== null) super.write(last)
    this.#state = 'refused'
    this.end()
    // What still comes is read and dropped, or the client's own goodbye would never be seen.
    this.#socket.resume()
  }

  /** Cuts the connection for `fault`, with the CONNACK the client is owed. */
  refuse(fault: Violation): void {
    if (this.#state === 'refused' || this.destroyed) return
    this.#state = 'refused'
    this.#adjust()
    this.#options.onViolation(fault)
    if (this.#voice !== null) {
      this.#acks.flush()
      this.flush()
      this.#voice.fault(fault)
      this.destroy()
    } else if (fault.connack === undefined) this.destroy()
    else this.#socket.end(Buffer.from([0x20, 2, 0, fault.connack]), () => this.destroy())
  }

  override write(chunk: unknown, callback?: (error: Error | null | undefined) => void): boolean
  override write(
    chunk: unknown,
    encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void,
  ): boolean
  override write(
    chunk: unknown,
    second?: BufferEncoding | ((error: Error | null | undefined) => void),
    callback?: (error: Error | null | undefined) => void,
  ): boolean {
    if (this.#voice !== null) {
      if (callback !== undefined) process.nextTick(callback, null)
      return true
    }
    // The library writes a packet piece by piece, in one go: what is gathered goes before its first piece.
    this.#acks.flush()
    return typeof second === 'string' ? super.write(chunk, second, callback) : super.write(chunk, second)
  }

  override _read(): void {
    this.#wanted = true
    if (!this.#reading) this.#adjust()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#deliver(this.#socket.write(chunk), callback)
  }

  override _writev(
    chunks: Array<{ chunk: Buffer; encoding: BufferEncoding }>,
    callback: (error?: Error | null) => void,
  ): void {
    let size = 0
    for (const { chunk } of chunks) size += chunk.length
    if (size < JOIN_BELOW) {
      const joined = Buffer.allocUnsafe(size)
      let at = 0
      for (const { chunk } of chunks) {
        joined.set(chunk, at)
        at += chunk.length
      }
      this.#deliver(this.#socket.write(joined), callback)
      return
    }
    this.#socket.cork()
    let open = true
    for (const { chunk } of chunks) open = this.#socket.write(chunk)
    this.#socket.uncork()
    this.#deliver(open, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(callback)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#state = 'refused'
    if (this.#voice === null || !this.#voice.part(this.#socket)) this.#socket.destroy()
    this.#drained()
    callback(error)
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'refused') return
    const fault = this.#options.guard.push(chunk)
    if (fault !== null) {
      this.refuse(fault)
      return
    }
    const { passed } = this.#options.guard
    // A publish that was refused at once has cut the connection.
    if (passed === null || this.destroyed) return
    // It is read later, and what was lent is gone by then.
    const full = !this.push(Buffer.from(passed))
    if (full) this.#wanted = false
    if (this.#state === 'awaiting-connect') this.#state = 'connecting'
    if (full || this.#state === 'connecting') this.#adjust()
  }

  #adjust(): void {
    const allowed = this.#state === 'awaiting-connect' || this.#state === 'accepted'
    const room = this.#wanted && !this.#clogged && this.#inflight < this.#maxInflightBytes
    const read = allowed && room && !this.#rested && !this.destroyed
    if (read === this.#reading) return
    this.#reading = read
    if (read) this.#socket.resume()
    else this.#socket.pause()
  }

  #writeOwn(packets: Buffer): void {
    // Nothing stands before it, here or there: a second stream in between would only cost.
    if (this.#state === 'accepted' && this.writable && this.writableCorked === 0 && this.backlog === 0) {
      const written = this.#wire.writeNow(packets)
      if (written < packets.length) this.#socket.write(packets.subarray(written))
      return
    }
    if (!this.writable || super.write(packets) || this.#clogged) return
    this.#clogged = true
    this.#adjust()
    this.#options.onClogged(() => {
      this.#clogged = false
      this.#adjust()
    })
  }

  #deliver(open: boolean, callback: () => void): void {
    if (open || this.destroyed) callback()
    else this.#written = callback
  }

  #drained(): void {
    const written = this.#written
    this.#written = null
    written?.()
  }
}

const letGo = (connection: GuardedSocket): void => connection.flush()

/** MQTT-6.0.0-1: MQTT goes over WebSocket in binary frames only. */
export const textFrameViolation: Violation = violation(
  'FRAME_NOT_BINARY',
  'expected binary WebSocket frames, came text',
)
