/** From publishes to durable records. */
export type { Acceptor, Batch, Done, Publish, Said, Verdict } from './acceptor.ts'
export { Ingest, type IngestCounter, type Journal } from './ingest.ts'
export { Unreleased } from './unreleased.ts'
