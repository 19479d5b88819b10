/** The deterministic middle: deduplication, last values, and (through the rule engine) events. */
export { type MachineSettings, StateMachine } from './machine.ts'
export type { NamedRules } from './rule-book.ts'
