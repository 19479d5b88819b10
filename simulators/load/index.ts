/** A lean MQTT load generator: raw sockets, worker threads, frames made in advance. */
export { Histogram } from './histogram.ts'
export { type LoadOptions, type LoadProgress, type LoadResult, runLoad } from './load.ts'
export type { PublisherReport } from './messages.ts'
export type { LoadForm } from './payloads.ts'
export { recordLoad } from './record.ts'
