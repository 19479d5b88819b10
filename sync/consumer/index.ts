/** Reads the central streams, record by record. */
export type { RetrySettings } from './attempt.ts'
export { type Batch, decodeBatch, type StoredMessage, storedMessage } from './batch.ts'
export { type Centre, type ConsumeOptions, consume } from './consume.ts'
export {
  type ConsumerDeadLetter,
  consumerDeadLetterSubject,
  DEAD_LETTER_HEADERS,
  type KeepDeadLetter,
} from './dead-letter.ts'
export type { Handler } from './delivery.ts'
export type { Start } from './durable.ts'
export { checkPosition, type Finding, type Position, type Verdict } from './position-check.ts'
export { type KeyValueBucket, kvPositions, memoryPositions, type PositionStore } from './positions.ts'
export {
  type ConsumedEvent,
  type ConsumedReading,
  decodeRecord,
  type RecordContext,
  type RecordOf,
  type RecordPosition,
} from './records.ts'
export { describeReport, type PositionReport, type Report } from './report.ts'
