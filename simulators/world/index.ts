/** A whole site in simulated time, driven by a seed. */
export type { Findings } from './audit.ts'
export { ANYTHING, worldOf } from './command/schedule.ts'
export { live, type Outcome, type WorldOptions } from './world.ts'
