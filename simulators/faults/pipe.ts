import type { Socket } from 'node:net'
import type { Bytes, Millis } from '../../sync/contract/index.ts'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import type { Conditions, Direction } from './fault.ts'
import type { FrameFilter } from './frames.ts'
import type { TokenBucket } from './token-bucket.ts'

/** Bytes of one direction, of all connections since the proxy began. */
export interface Traffic {
  received: Bytes
  forwarded: Bytes
  swallowed: Bytes
}

/** What all pipes of one direction share. */
export interface PipeContext {
  direction: Direction
  /** The network as it is now. */
  conditions(): Conditions
  bucket: TokenBucket
  traffic: Traffic
  clock: Clock
  random: Random
}

/** What may wait inside: with a bandwidth limit as much as a router buffers, else as much as a long line holds. */
const NARROW_QUEUE: Bytes = 64 * 1024
const WIDE_QUEUE: Bytes = 16 * 1024 * 1024

interface Waiting {
  due: Millis
  /** null = the source has ended. */
  bytes: Buffer | null
}

/**
 * One direction of one connection: what the source sends is swallowed, or written to the sink in order, when its latency
 * is over, the bandwidth allows it and the sink takes it. When too much waits, the source is not read.
 */
export class Pipe {
  readonly #source: Socket
  readonly #sink: Socket
  readonly #context: PipeContext
  readonly #filter: FrameFilter | undefined
  #queue: Waiting[] = []
  #queued: Bytes = 0
  #cancelTimer: (() => void) | undefined
  #draining = false
  /** Bytes (or the end) were swallowed: what comes later would no longer be the stream that the source sent. */
  #broken = false

  constructor(source: Socket, sink: Socket, context: PipeContext, filter?: FrameFilter) {
    this.#source = source
    this.#sink = sink
    this.#context = context
    this.#filter = filter
    source.on('data', (chunk) => this.#receive(chunk))
    source.on('end', () => this.#ended())
    sink.on('drain', () => {
      this.#draining = false
      this.#pump()
    })
  }

  get broken(): boolean {
    return this.#broken
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#queue = []
  }

  /** Conditions changed: what waits may go sooner. */
  wake(): void {
    this.#pump()
  }

  #receive(chunk: Buffer): void {
    const { traffic, direction } = this.#context
    const passage = this.#context.conditions().passage[direction]
    traffic.received += chunk.length
    if (passage === 'swallow') this.#broken = true
    if (this.#broken) {
      traffic.swallowed += chunk.length
      return
    }
    let passed = 0
    for (const part of this.#filter?.push(chunk, passage === 'swallow-messages') ?? [chunk]) {
      passed += part.length
      this.#enqueue(part)
    }
    traffic.swallowed += chunk.length - passed
    this.#pump()
  }

  #ended(): void {
    if (this.#broken || this.#context.conditions().passage[this.#context.direction] === 'swallow') {
      this.#broken = true
      return
    }
    this.#enqueue(null)
    this.#pump()
  }

  #enqueue(bytes: Buffer | null): void {
    const { clock, random } = this.#context
    const { delay, jitter, bytesPerSecond } = this.#context.conditions()
    const late = Math.max(0, delay + jitter * (2 * random.next() - 1))
    // Jitter changes distances, never the order: nothing leaves before what came before it.
    this.#queue.push({ due: clock.monotonic() + late, bytes })
    this.#queued += bytes?.length ?? 0
    if (this.#queued > (bytesPerSecond === Number.POSITIVE_INFINITY ? WIDE_QUEUE : NARROW_QUEUE)) this.#source.pause()
  }

  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const { bucket, clock, traffic, direction } = this.#context
    if (this.#queue.length > 0 && this.#context.conditions().passage[direction] === 'swallow') {
      this.#swallowQueue()
      return
    }
    let sent = 0
    for (const waiting of this.#queue) {
      if (this.#draining || this.#sink.destroyed) break
      const now = clock.monotonic()
      if (waiting.due > now) {
        this.#wakeAfter(waiting.due - now)
        break
      }
      if (waiting.bytes === null) {
        this.#sink.end()
      } else {
        const allowed = bucket.take(waiting.bytes.length, now)
        if (allowed > 0) {
          this.#draining = !this.#sink.write(waiting.bytes.subarray(0, allowed))
          this.#queued -= allowed
          traffic.forwarded += allowed
        }
        if (allowed < waiting.bytes.length) {
          waiting.bytes = waiting.bytes.subarray(allowed)
          if (!this.#draining) this.#wakeAfter(bucket.wait(waiting.bytes.length))
          break
        }
      }
      sent++
    }
    if (sent > 0) this.#queue.splice(0, sent)
    if (this.#queued <= NARROW_QUEUE / 2) this.#source.resume()
  }

  /** What was still on its way when the line went dead does not arrive either. */
  #swallowQueue(): void {
    this.#broken = true
    this.#context.traffic.swallowed += this.#queued
    this.#queue = []
    this.#queued = 0
    this.#source.resume()
  }

  #wakeAfter(delay: Millis): void {
    this.#cancelTimer = this.#context.clock.after(delay, () => this.#pump())
  }
}
