import type { Millis } from '../../../sync/contract/index.ts'
import type { Random } from '../../../sync/runtime/index.ts'

/** The next thing that happens to a gateway. */
export interface Strike {
  /** How long all is well before. */
  after: Millis
  /** Number of the gateway that is killed. */
  gateway: number
  /** Its data folder is deleted, too. */
  wipe: boolean
  /** How long it stays dead. */
  dead: Millis
}

export interface ChaosOptions {
  gateways: number
  /** Whether folders may be deleted. */
  wipe: boolean
}

const CALM: readonly [Millis, Millis] = [2_000, 5_000]
const DEAD: readonly [Millis, Millis] = [2_000, 5_000]
const WIPE_CHANCE = 1 / 3

/**
 * One kill after the other, without end, the same for the same `random`. Never the same gateway twice in a row: the other one is where
 * the devices are by then.
 */
export function* chaosSchedule(random: Random, { gateways, wipe }: ChaosOptions): Generator<Strike, never> {
  const between = ([least, most]: readonly [Millis, Millis]): Millis =>
    Math.round(least + random.next() * (most - least))
  let gateway = Math.floor(random.next() * gateways)
  for (;;) {
    yield { after: between(CALM), gateway, wipe: wipe && random.next() < WIPE_CHANCE, dead: between(DEAD) }
    const step = gateways > 1 ? 1 + Math.floor(random.next() * (gateways - 1)) : 0
    gateway = (gateway + step) % gateways
  }
}
