/** The deterministic middle: deduplication, last values, and (through the rule engine) events. */
export type { FailoverChange } from './failover-book.ts'
export type { KnownSeries } from './known.ts'
export { type MachineSettings, StateMachine } from './machine.ts'
export { PART_KINDS, type PartKind, partKind } from './part-names.ts'
export type { NamedRules } from './rule-book.ts'
