import type { Millis } from '../../../sync/contract/index.ts'
import { type Clock, pause } from '../../../sync/runtime/index.ts'
import type { GuardedSocket } from './guarded-socket.ts'

/** Whether devices are let in, as whoever hands a gateway over sees it. */
export interface DeviceDoor {
  /** Devices that are connected; peers are none. */
  readonly count: number
  /** Lets no more devices in: a new connection ends without an answer, and its device tries the next address. */
  shut(): void
  /** Lets them in again. */
  open(): void
  /**
   * Asks devices to leave, so many at a time: reads no more from each, answers what it had sent, hangs up. With the door shut they go
   * elsewhere.
   *
   * @returns when all that were here are gone, or `signal` aborts
   */
  empty(pace: LeavePace, signal: AbortSignal): Promise<void>
}

export interface LeavePace {
  /** Devices that are asked at the same time. */
  atOnce: number
  /** Between one group and the next. */
  pause: Millis
  /** What a device may take until it is answered, and again until it has gone; then it is cut. */
  patience: Millis
}

/** The devices that are connected, and the door that they came by. */
export class DoorOfDevices implements DeviceDoor {
  readonly #clock: Clock
  readonly #inside = new Set<GuardedSocket>()
  #isShut = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#inside.size
  }

  get isShut(): boolean {
    return this.#isShut
  }

  /** A device's CONNECT was accepted. */
  enter(connection: GuardedSocket): void {
    // The door was shut while its CONNECT was looked at.
    if (this.#isShut) connection.hangUp()
    if (connection.destroyed) return
    this.#inside.add(connection)
    connection.once('close', () => this.#inside.delete(connection))
  }

  shut(): void {
    this.#isShut = true
  }

  open(): void {
    this.#isShut = false
  }

  async empty({ atOnce, pause: between, patience }: LeavePace, signal: AbortSignal): Promise<void> {
    while (this.#inside.size > 0 && !signal.aborted) {
      const group = [...this.#inside].slice(0, atOnce)
      await Promise.all(group.map((connection) => this.#seeOff(connection, patience, signal)))
      if (this.#inside.size > 0) await pause(this.#clock, between, signal)
    }
  }

  async #seeOff(connection: GuardedSocket, patience: Millis, signal: AbortSignal): Promise<void> {
    connection.rest()
    const gone = new Promise<void>((resolve) => connection.once('close', resolve))
    if (connection.destroyed) return
    await this.#within(patience, signal, Promise.race([connection.whenIdle(), gone]))
    // The last acknowledgements of QoS 2 are a few promises behind.
    await new Promise((resolve) => setImmediate(resolve))
    if (connection.destroyed) return
    connection.hangUp()
    await this.#within(patience, signal, gone)
    connection.destroy()
    this.#inside.delete(connection)
  }

  /** Resolves when that has happened, or it has taken too long, or nobody wants it any more. */
  async #within(time: Millis, signal: AbortSignal, what: Promise<void>): Promise<void> {
    const over = new AbortController()
    void what.then(() => over.abort())
    await pause(this.#clock, time, AbortSignal.any([signal, over.signal]))
  }
}
