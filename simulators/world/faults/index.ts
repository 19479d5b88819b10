/** What can go wrong at a simulated site. */
import type { Site } from '../site.ts'
import { CENTRE } from './centre.ts'
import { DISK } from './disk.ts'
import type { Fault } from './fault.ts'
import { NETWORK } from './network.ts'
import { PEOPLE } from './people.ts'
import { POWER } from './power.ts'
import { SLOWNESS } from './slowness.ts'
import { TIME } from './time.ts'

const ALL: readonly Fault[] = [...POWER, ...NETWORK, ...TIME, ...DISK, ...SLOWNESS, ...PEOPLE, ...CENTRE]

/** One of them, drawn by their weights, happens to the site. */
export async function strike(site: Site, forgetful: boolean): Promise<void> {
  const possible = forgetful ? ALL : ALL.filter((fault) => !fault.forgetful)
  const total = possible.reduce((sum, { weight }) => sum + weight, 0)
  let dice = site.random.next() * total
  for (const fault of possible) {
    dice -= fault.weight
    if (dice >= 0) continue
    await fault.strike(site)
    return
  }
}
