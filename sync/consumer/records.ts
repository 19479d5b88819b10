import {
  type DeadLetter,
  decodeDeadLetter,
  decodeEvent,
  decodeLine,
  type Lane,
  type Millis,
  type Offset,
  type Reading,
  type StreamSequence,
  type ThresholdEvent,
} from '../contract/index.ts'
import type { Batch } from './batch.ts'

/** A reading as a consumer gets it: it always has a time. */
export interface ConsumedReading extends Reading {
  /** When it was measured, Unix milliseconds: the device's own time; the gateway's receive time where the device gave none. */
  time: Millis
  /** Whose clock `time` is. */
  timeSource: 'device' | 'gateway'
}

/** A threshold event as a consumer gets it. */
export interface ConsumedEvent extends ThresholdEvent {
  /** CloudEvents `source`: `/sites/SITE/gateways/GATEWAY` of the gateway that decided it. */
  source: string
}

/** What the handler of each stream gets. */
export interface RecordOf {
  readings: ConsumedReading
  events: ConsumedEvent
  deadletters: DeadLetter
}

/**
 * Where a record stands. Offsets of an origin only grow, so whoever stores the position together with the effect of the
 * record (one transaction) can tell for ever what was done already.
 */
export interface RecordPosition {
  /** Readings and dead letters: `SUBJECT/EPOCH`, one outbox of one gateway. Events: the subject, one alarm. */
  origin: string
  /** Readings and dead letters: the offset in the outbox. Events: the number of the transition. */
  offset: Offset
}

/** What there is to know about a record beside itself. */
export interface RecordContext {
  readonly position: RecordPosition
  readonly site: string
  /** Null when the message does not say it (an event of a foreign source). */
  readonly gateway: string | null
  readonly subject: string
  /** Sequence of its message in the stream; the records of one pack share it. */
  readonly sequence: StreamSequence
  /** 1 = the first time that the handler sees it in this process. */
  readonly attempt: number
  /** Whether JetStream handed out its message before: after a crash, or because the handler was slow. */
  readonly redelivered: boolean
  /** The record exactly as it is in the stream: one JSON object. */
  readonly line: string
  /** Aborts when the consumer stops; the handler may finish, or give up by throwing. */
  readonly signal: AbortSignal
}

/** One record from its line. All throw DeadLetterError when the line is not what it should be. */
export const decodeRecord: { readonly [L in Lane]: (line: string, batch: Batch) => RecordOf[L] } = {
  readings(line) {
    const reading = decodeLine(line)
    const timeSource = reading.time === undefined ? 'gateway' : 'device'
    return Object.assign(reading, { time: reading.time ?? reading.received, timeSource } as const)
  },
  events(line, { source }) {
    return { ...decodeEvent(line), source: source ?? '' }
  },
  deadletters: (line) => decodeDeadLetter(line),
}
