/** Durable queues between ingest and the forwarder. */
export { decodeBlock, decodeBlockHeader, linesOf } from './block.ts'
export { inspectOutbox, type LaneReport, type OutboxReport, type PartKinds, REPORT_ORDER } from './inspect.ts'
export { type Finding, type Verification, verifyOutbox } from './inspect-blocks.ts'
export { Outbox, type OutboxEvents, type OutboxSettings, type OutboxStatus } from './outbox.ts'
export { readBack, type StoredBlock } from './read-back.ts'
export { type RepairReport, repairOutbox } from './repair.ts'
export type { ReplicaAccess } from './replica-access.ts'
export type { SnapshotSlice, StateKeeper, StoredState } from './state-keeper.ts'
