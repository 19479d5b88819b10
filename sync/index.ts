/**
 * Everything between a gateway and whoever reads its readings: consuming, the contract that both sides keep, and the central
 * streams. This is the public door, `tidegate/sync`.
 */
export * from './consumer/index.ts'
export {
  type Bytes,
  type DeadLetter,
  DeadLetterError,
  deadLettersSubject,
  decodeDeadLetter,
  decodeLine,
  describeError,
  encodeDeadLetter,
  encodeLine,
  escapeToken,
  eventSubject,
  HEADERS,
  isFence,
  type Lane,
  latestSubject,
  type Millis,
  type Offset,
  OperatorError,
  type Quality,
  type Reading,
  type ReadingValue,
  RetryableError,
  readingsSubject,
  STREAMS,
  type StreamSequence,
  type ThresholdEvent,
  TidegateError,
  unescapeToken,
} from './contract/index.ts'
export {
  decodePackBody,
  decodePackFacts,
  type Gap,
  type GapReason,
  offsetsOf,
  type PackFacts,
} from './forward/index.ts'
export type { NatsSettings, StreamPlan } from './link/index.ts'
export { applyStreams, type StreamChange, type StreamSettings, streamPlans } from './provision/index.ts'
