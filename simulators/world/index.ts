/** A whole site in simulated time, driven by a seed. */
export { type Findings, keyOf } from './audit.ts'
export { live, type Outcome, type WorldOptions } from './world.ts'
