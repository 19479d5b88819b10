/** What a reading shows: pure functions over the reading and what is remembered of earlier ones. */
export { type Band, restBand } from './band.ts'
export { evaluate, freshMemory, type Memory } from './evaluate.ts'
export { mOfN, type Recent } from './m-of-n.ts'
export { metricsOf } from './when.ts'
