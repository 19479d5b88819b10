/** The central streams: what they should be, and making them so. */
export { applyStreams, type StreamChange } from './apply.ts'
export { type StreamSettings, streamPlans } from './plans.ts'
