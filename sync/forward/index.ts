/** Carries the lanes of an outbox to the centre, exactly once. */
export { Backoff } from '../runtime/index.ts'
export type { ForwardEvents } from './events.ts'
export { Forwarder, type ForwarderParts, type ForwarderSettings, type ForwarderStatus } from './forwarder.ts'
export { decodePackBody, decodePackFacts, offsetsOf, type PackFacts } from './pack.ts'
export type { Cursor, Gap, GapReason, LaneSlice, LaneSource } from './source.ts'
export { growth } from './wait.ts'
