/** What a gateway and a consumer of the central stream agree on. */
export type { DeadLetter } from './dead-letter.ts'
export {
  DeadLetterError,
  describeError,
  OperatorError,
  RetryableError,
  StopAcceptingError,
  TidegateError,
  UsageError,
} from './errors.ts'
export { decodeEvent, type ThresholdEvent } from './event.ts'
export { HEADERS, isFence, NDJSON } from './headers.ts'
export { byLane, LANES, type Lane } from './lanes.ts'
export {
  decodeDeadLetter,
  decodeLine,
  encodeDeadLetter,
  encodeLine,
  type LineParts,
  lineParts,
  readingOf,
} from './line.ts'
export type { LineBuffer } from './line-buffer.ts'
export type { Quality, Reading, ReadingValue } from './reading.ts'
export {
  deadLettersSubject,
  escapeToken,
  eventSubject,
  latestSubject,
  readingsSubject,
  STREAMS,
  unescapeToken,
} from './subjects.ts'
export type { Bytes, Millis, Offset, StreamSequence } from './units.ts'
