/** The seams to time and chance. */
export { type Clock, pause, systemClock } from './clock.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
