import type { Site } from '../../../simulators/site/index.ts'
import { type Millis, UsageError } from '../../../sync/contract/index.ts'
import { type Clock, pause, type Random } from '../../../sync/runtime/index.ts'
import { chaosSchedule } from './chaos-schedule.ts'
import { killAndTell, nameOf } from './kill.ts'

const LOOK_EVERY: Millis = 100
/** How long gateways that are all alive have to tell each other what they have. */
const SETTLED: Millis = 1_500
/** How long to wait for a moment in which a disk may be lost. */
const SAFE_WITHIN: Millis = 5_000

/** What `--chaos` can do to gateways. */
export const CHAOS_KINDS = ['kill', 'wipe'] as const
export type ChaosKind = (typeof CHAOS_KINDS)[number]

const FEWEST_GATEWAYS = 2

/**
 * How many gateways a site with this chaos has: two, unless somebody says more.
 *
 * @throws UsageError `CHAOS_INVALID`
 */
export function gatewaysFor(options: {
  gateways: number | undefined
  chaos: readonly ChaosKind[]
  trouble: boolean
}): number {
  const { gateways, chaos, trouble } = options
  if (chaos.length === 0) return gateways ?? 1
  if (!chaos.includes('kill'))
    throw new UsageError('CHAOS_INVALID', '--chaos wipe deletes the disks of killed gateways: say --chaos kill,wipe')
  if (trouble) throw new UsageError('CHAOS_INVALID', '--trouble and --chaos both kill gateways: choose one of them')
  if (gateways !== undefined && gateways < FEWEST_GATEWAYS)
    throw new UsageError(
      'CHAOS_INVALID',
      `--chaos kills one gateway while another one goes on: it needs --gateways ${FEWEST_GATEWAYS} at least, got ${gateways}`,
    )
  return gateways ?? FEWEST_GATEWAYS
}

/** Kills one gateway after the other, never two at once, until `signal` aborts; each is started again. */
export async function makeChaos(
  site: Site,
  kinds: readonly ChaosKind[],
  world: { clock: Clock; random: Random; signal: AbortSignal; tell: (happening: string) => void },
): Promise<void> {
  const { clock, random, signal, tell } = world
  const plan = { gateways: site.gateways.length, wipe: kinds.includes('wipe') }
  for (const { after, gateway, wipe, dead } of chaosSchedule(random, plan)) {
    await pause(clock, after, signal)
    const wiped = wipe && (await mayLoseItsDisk(site, gateway, clock, signal))
    if (signal.aborted) return
    await killAndTell(site, gateway, tell)
    if (wiped) {
      await site.wipeGateway(gateway)
      tell(`${nameOf(site, gateway)} has lost its disk`)
    }
    await pause(clock, dead, signal)
    await site.startGateway(gateway)
    tell(`${nameOf(site, gateway)} is back`)
  }
}

/**
 * Waits until a gateway has nothing that is nowhere else: what it acknowledged while its neighbours were dead has left for the centre.
 * Whoever loses that disk and that neighbour at once has lost two machines, which nobody promised to survive.
 */
async function mayLoseItsDisk(site: Site, which: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  await pause(clock, SETTLED, signal)
  const until = clock.monotonic() + SAFE_WITHIN
  while (!signal.aborted && clock.monotonic() < until) {
    if (site.gateways[which]?.drained) return true
    await pause(clock, LOOK_EVERY, signal)
  }
  return false
}
