import { setImmediate as turn } from 'node:timers/promises'
import { describeError, type Millis, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { Backoff, type Clock, pause, type Random } from '../../../sync/runtime/index.ts'
import { type GatewayApi, GatewayRefusedError, type SseMessage } from '../../api/index.ts'
import type { Cursor } from './cursor.ts'

export interface EventListener {
  event(event: ThresholdEvent): void
  /** What the gateway no longer has, and so nobody here will see. */
  gap(text: string): void
  /** The stream is open, or it is not and why. */
  link(up: boolean, why: string): void
}

export interface EventHubParts {
  api: GatewayApi
  cursor: Cursor
  clock: Clock
  random: Random
  /** Told each time that the stream has been opened. */
  opened: () => void
  /** Told each event before anybody else. */
  passed: (event: ThresholdEvent) => void
}

/** A deploy takes a node away and brings it back within moments; one that is away longer has been switched off. */
const BACK_WITHIN: Millis = 10_000

/** So many events are handed on in one turn of the event loop: the flows behind must get their turns too. */
const BATCH = 20

/** An event handed on so shortly before a deploy may have been dropped on its way to the next node: it is handed on once more. */
const UNSETTLED: Millis = 500

interface Seat {
  /** Null while the node is away for a deploy. */
  listener: EventListener | null
  /** Events that it was handed just before it went away. */
  unsettled: ThresholdEvent[]
  cancel: () => void
}

/**
 * One stream of events for all nodes of a gateway, with one durable position. A node has a seat as long as it is in the flows; while one
 * is away for a deploy, and until all flows have started, nothing is handed on, so that nothing is missed. The position moves when everybody has had the event: after a
 * deploy or a crash some may see an event again, none misses one.
 *
 *     idle --first join--> open <--> broken (backoff)
 *       ^                    |
 *       +-- no seat is left -+
 */
export class EventHub {
  readonly #api: GatewayApi
  readonly #cursor: Cursor
  readonly #clock: Clock
  readonly #backoff: Backoff
  readonly #opened: () => void
  readonly #passed: (event: ThresholdEvent) => void
  readonly #seats = new Map<string, Seat>()
  /** What was handed on last, for nodes that a deploy replaces. */
  #recent: { event: ThresholdEvent; at: Millis }[] = []
  /** Null exactly while `idle`. */
  #open: AbortController | null = null
  /** Node-RED makes one node after the other, and drops what is sent to one that it has not made yet. */
  #complete = false
  #up = false
  #why = 'connecting'
  #waiting: (() => void)[] = []

  constructor(parts: EventHubParts) {
    this.#api = parts.api
    this.#cursor = parts.cursor
    this.#clock = parts.clock
    this.#opened = parts.opened
    this.#passed = parts.passed
    this.#backoff = new Backoff({ min: 200, max: 10_000 }, parts.random)
  }

  join(id: string, listener: EventListener): void {
    const seat = this.#seats.get(id)
    seat?.cancel()
    this.#seats.set(id, { listener, unsettled: seat?.unsettled ?? [], cancel: () => {} })
    listener.link(this.#up, this.#why)
    if (this.#open !== null) return
    this.#open = new AbortController()
    void this.#run(this.#open.signal)
  }

  /**
   * Resolves when nothing that happens from now on is missed, also if the stream breaks before the first event: at once, but for the very
   * first time, when there is no position to go on from yet.
   *
   * @param waits told why it is not so yet
   */
  async placed(waits: (why: string) => void): Promise<void> {
    for (;;) {
      const change = this.#change()
      if (this.#seats.size === 0 || (await this.#cursor.position()) !== null) return
      if (!this.#up) waits(this.#why)
      await change
    }
  }

  /** All flows have started: what is handed on now finds the nodes behind it. */
  complete(): void {
    this.#complete = true
    for (const { listener, unsettled } of this.#seats.values()) {
      for (const event of unsettled.splice(0)) listener?.event(event)
    }
    this.#changed()
  }

  /** @param forGood the node has been taken out of the flows, and need not be waited for */
  leave(id: string, forGood: boolean): void {
    this.#complete = false
    const seat = this.#seats.get(id)
    if (forGood || seat === undefined) {
      this.#remove(id)
      return
    }
    this.#forget()
    seat.listener = null
    seat.unsettled = this.#recent.map(({ event }) => event)
    seat.cancel = this.#clock.after(BACK_WITHIN, () => this.#remove(id))
  }

  #remove(id: string): void {
    this.#seats.get(id)?.cancel()
    this.#seats.delete(id)
    this.#changed()
    if (this.#seats.size > 0) return
    this.#open?.abort()
    this.#changed()
    this.#open = null
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
      } catch (error) {
        if (error instanceof GatewayRefusedError && error.status === 400) {
          this.#tell((listener) =>
            listener.gap(`the gateway does not know our position (${error.message}): starting over`),
          )
          this.#cursor.advance('start')
        }
        this.#link(false, describeError(error))
      }
      await pause(this.#clock, this.#backoff.next(), signal)
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const after = (await this.#cursor.position()) ?? 'end'
    const opened = (): void => {
      this.#backoff.reset()
      this.#link(true, '')
      this.#opened()
    }
    let handed = 0
    for await (const message of this.#api.stream('/events', { after }, signal, opened)) {
      await this.#everybodyThere(signal)
      if (signal.aborted) return
      this.#hand(message)
      if (message.id !== null) {
        this.#cursor.advance(message.id)
        this.#changed()
      }
      if (++handed % BATCH === 0) await turn()
    }
  }

  #hand({ event, data }: SseMessage): void {
    if (event === 'gap') this.#tell((listener) => listener.gap(`events are missing: ${data}`))
    if (event !== 'threshold') return
    const parsed = parseEvent(data)
    if (parsed === null) return
    this.#passed(parsed)
    this.#tell((listener) => listener.event(parsed))
    this.#forget()
    this.#recent.push({ event: parsed, at: this.#clock.monotonic() })
  }

  #forget(): void {
    const since = this.#clock.monotonic() - UNSETTLED
    const first = this.#recent.findIndex(({ at }) => at >= since)
    this.#recent = first < 0 ? [] : this.#recent.slice(first)
  }

  #link(up: boolean, why: string): void {
    this.#up = up
    this.#why = why
    this.#changed()
    this.#tell((listener) => listener.link(up, why))
  }

  #tell(what: (listener: EventListener) => void): void {
    for (const { listener } of this.#seats.values()) if (listener !== null) what(listener)
  }

  async #everybodyThere(signal: AbortSignal): Promise<void> {
    const missing = (): boolean => [...this.#seats.values()].some(({ listener }) => listener === null)
    while (!signal.aborted && (!this.#complete || missing())) await this.#change()
  }

  /** Until something is otherwise than it was. */
  #change(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function parseEvent(data: string): ThresholdEvent | null {
  try {
    return JSON.parse(data) as ThresholdEvent
  } catch {
    return null
  }
}
