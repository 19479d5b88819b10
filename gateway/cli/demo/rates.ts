import type { Millis } from '../../../sync/contract/index.ts'
import type { GatewayStatus } from '../../observe/index.ts'

/** Readings a second. */
export interface Rates {
  accepted: number
  forwarded: number
}

const NONE: Rates = { accepted: 0, forwarded: 0 }
const OVER: Millis = 1_000

/** How fast one gateway works, from what it says of itself now and a second ago. */
export class RateMeter {
  #before: { at: Millis } & Rates
  #rates: Rates = NONE

  constructor(now: Millis) {
    this.#before = { at: now, ...NONE }
  }

  look(status: GatewayStatus | null, now: Millis): Rates {
    const readings = status?.outbox.lanes.readings
    if (!readings) {
      this.#rates = NONE
      return NONE
    }
    const { at, accepted, forwarded } = this.#before
    if (now - at >= OVER) {
      const perSecond = (current: number, last: number): number => Math.max(0, ((current - last) * 1000) / (now - at))
      this.#rates = {
        accepted: perSecond(readings.accepted, accepted),
        forwarded: perSecond(readings.forwarded, forwarded),
      }
      this.#before = { at: now, accepted: readings.accepted, forwarded: readings.forwarded }
    }
    return this.#rates
  }
}
