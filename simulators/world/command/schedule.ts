import { seededRandom } from '../../../sync/runtime/index.ts'
import type { WorldOptions } from '../world.ts'

/** What is the same for all seeds; null = it follows from the seed. */
export interface Wish {
  gateways: number | null
  devices: number | null
  steps: number
  durability: 'local' | 'replicated' | 'both'
  forgetful: boolean
}

export const ANYTHING: Wish = { gateways: null, devices: null, steps: 30, durability: 'both', forgetful: false }

/** Apart from what the site itself draws from the seed. */
const APART = 0x5eed

/** The site of a seed. */
export function worldOf(seed: number, { gateways, devices, steps, durability, forgetful }: Wish): WorldOptions {
  const random = seededRandom(seed ^ APART)
  const [many, size, safe] = [random.next() < 0.2, 2 + Math.floor(random.next() * 4), random.next() < 0.6]
  const drawn = safe ? 'replicated' : 'local'
  return {
    seed,
    gateways: gateways ?? (many ? 3 : 2),
    devices: devices ?? size,
    steps,
    durability: durability === 'both' ? drawn : durability,
    forgetful,
  }
}

/** What to type to see a seed again. */
export function replayCommand(seed: number, wish: Wish): string {
  const given = [
    ['gateways', wish.gateways, ANYTHING.gateways],
    ['devices', wish.devices, ANYTHING.devices],
    ['steps', wish.steps, ANYTHING.steps],
    ['durability', wish.durability, ANYTHING.durability],
  ] as const
  const options = given.filter(([, value, usual]) => value !== usual).map(([name, value]) => ` --${name} ${value}`)
  return `npm run simulate:faults -- --seed ${seed}${options.join('')}${wish.forgetful ? ' --forgetful' : ''} --verbose`
}
