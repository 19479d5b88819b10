/** The seams to time, chance and child processes, real and simulated; and how to try again. */
export { Backoff } from './backoff.ts'
export { Breaker, type BreakerSettings, type BreakerState } from './breaker.ts'
export { type Clock, pause, systemClock } from './clock.ts'
export { endWithThisProcess } from './guard.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
export { SimulatedClock, type Surroundings } from './simulated-clock.ts'
export { withTimeLimit } from './time-limit.ts'
