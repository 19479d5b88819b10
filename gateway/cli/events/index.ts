/** How events look on a terminal. */
export { EventTable, kindOf } from './event-table.ts'
export { severityStyle, urgency } from './severity.ts'
