/** Whether the gateway's own clock can be believed. */
export { hearCentre } from './hear-centre.ts'
export { CLOCK_NEVER_SET, type ClockBehind, ClockWatch } from './watch.ts'
