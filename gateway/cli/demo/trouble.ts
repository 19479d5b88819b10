import type { Site } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'
import { type Clock, pause, type Random } from '../../../sync/runtime/index.ts'
import { killAndTell, nameOf } from './kill.ts'

const CALM: Millis = 1500
const MOST_CALM: Millis = 4000
const MOST_CUT: Millis = 5000
const DEAD: Millis = 500

/** Cuts the link and kills a gateway now and then, until `signal` aborts. */
export async function makeTrouble(
  site: Site,
  clock: Clock,
  random: Random,
  signal: AbortSignal,
  tell: (happening: string) => void,
): Promise<void> {
  const wait = (least: Millis, most: Millis): Promise<void> =>
    pause(clock, least + random.next() * (most - least), signal)
  while (!signal.aborted) {
    await wait(CALM, MOST_CALM)
    if (signal.aborted) return
    const kill = random.next() < 0.5
    const cut = !kill || random.next() < 0.5
    if (cut) {
      tell('the link is cut')
      await site.cutLink()
    }
    if (kill) {
      const { length } = site.gateways
      const which = length === 1 ? 0 : Math.floor(random.next() * length)
      await killAndTell(site, which, tell)
      await wait(DEAD, DEAD * 2)
      await site.startGateway(which)
      tell(`${nameOf(site, which)} is back`)
    }
    if (cut) {
      await wait(DEAD, MOST_CUT)
      await site.healLink()
      tell('the link is back')
    }
  }
}
