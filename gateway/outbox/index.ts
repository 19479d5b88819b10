/** Durable queues between ingest and the forwarder. */
export { Outbox, type OutboxEvents, type OutboxSettings, type OutboxStatus } from './outbox.ts'
export type { SnapshotSlice, StateKeeper, StoredState } from './state-keeper.ts'
