/** From publishes to durable records. */
export type { Acceptor, Publish } from './acceptor.ts'
export { Ingest, type IngestCounter } from './ingest.ts'
export { Unreleased } from './unreleased.ts'
