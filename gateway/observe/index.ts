/** What a gateway tells about itself. */
export { Counters } from './counters.ts'
export { createLog, type Log } from './log.ts'
export { ReadingTap } from './reading-tap.ts'
export type { GatewayStatus } from './status.ts'
