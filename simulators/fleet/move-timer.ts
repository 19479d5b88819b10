import type { Millis } from '../../sync/contract/index.ts'

/** How one connection got from a gateway that was killed to another one. */
export interface Move {
  /** Numbers of the gateways in the fleet's list. */
  from: number
  to: number
  /** From the kill to the first publish that the other gateway acknowledged. */
  afterKill: Millis
  /** The same from the moment when the client noticed. */
  afterNotice: Millis
  /** From the kill to the connection with the other gateway: without the time that a device has nothing to say. */
  connected: Millis
}

/**
 * Times one connection over the deaths of its gateways.
 *
 * - `settled`: nothing to time;
 * - `orphaned`: its gateway was killed; it may not know yet, and what still comes out of its socket was acknowledged before;
 * - `arrived`: it is connected again, and nothing was acknowledged there yet. The first acknowledgement settles it.
 *
 * A connection that comes back to the gateway that was killed (because that was started again) has not moved: it settles without a move.
 */
export class MoveTimer {
  #from = 0
  #killed: Millis = 0
  #noticed: Millis | null = null
  #arrived: { at: Millis; to: number } | null = null
  /** Told how it ended; null while settled. */
  #onSettled: ((move: Move | null) => void) | null = null

  /** The gateway that it is connected to is killed now. A move that is not over then never will be. */
  killed(from: number, now: Millis, onSettled: (move: Move | null) => void): void {
    this.#settle(null)
    this.#from = from
    this.#killed = now
    this.#noticed = null
    this.#arrived = null
    this.#onSettled = onSettled
  }

  /** The connection ended. */
  closed(now: Millis): void {
    this.#noticed ??= now
    this.#arrived = null
  }

  connected(to: number, now: Millis): void {
    if (to === this.#from) this.#settle(null)
    else this.#arrived = { at: now, to }
  }

  acknowledged(now: Millis): void {
    if (this.#onSettled === null || this.#arrived === null) return
    const { at, to } = this.#arrived
    this.#settle({
      from: this.#from,
      to,
      afterKill: now - this.#killed,
      afterNotice: now - (this.#noticed ?? at),
      connected: at - this.#killed,
    })
  }

  /** The device started again, or the fleet is over: nothing of it tells how long a move takes. */
  forget(): void {
    this.#settle(null)
  }

  #settle(move: Move | null): void {
    const tell = this.#onSettled
    this.#onSettled = null
    tell?.(move)
  }
}
