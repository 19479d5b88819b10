/** The seams to time and chance, real and simulated. */
export { type Clock, pause, systemClock } from './clock.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
export { SimulatedClock } from './simulated-clock.ts'
