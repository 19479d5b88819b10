/** What a gateway tells about itself. */
export { Counters } from './counters.ts'
export type { HandoverReport, HandoverStage, HandoverStatus } from './handover.ts'
export { type Health, type HealthState, healthOf } from './health.ts'
export { createLog, type Log } from './log.ts'
export { ReadingTap } from './reading-tap.ts'
export type { GatewayStatus } from './status.ts'
