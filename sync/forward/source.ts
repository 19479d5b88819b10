import type { Bytes, Lane, Millis, Offset, StreamSequence } from '../contract/index.ts'

/** Why offsets of a lane will never reach the centre; `repeated`: their readings are there, under another origin. */
export type GapReason = 'evicted' | 'damaged' | 'trimmed' | 'oversize' | 'repeated'

/** A hole in a lane, declared so that a consumer knows what is missing. */
export interface Gap {
  from: Offset
  /** Last missing offset (inclusive). */
  to: Offset
  reason: GapReason
}

/** How far a lane has been committed centrally. */
export interface Cursor {
  /** The next offset to forward; everything before it is in the stream (or declared missing). */
  next: Offset
  /** Stream sequence of the newest message of ours; 0 when nothing was committed yet. */
  sequence: StreamSequence
  /** Creation time of the stream that gave it; null when nothing was committed yet. */
  streamCreated: string | null
}

/** A run of records in lane order, ready to be a message body. */
export interface LaneSlice {
  /** First offset covered: what was asked for. */
  from: Offset
  /** The offset after the last one covered; equals `from` when there is nothing. */
  next: Offset
  /** Number of lines in `body`. */
  count: number
  /** The records' NDJSON lines; each ends in a newline. */
  body: Buffer
  /** Holes between `from` and `next`. */
  gaps: readonly Gap[]
  /** Running CRC-32 of the lane up to `next`, missing records included; null when it cannot be told. */
  lineage: number | null
}

/**
 * One lane of an outbox as its forwarder sees it. Only durable records are visible; some of them may have to wait.
 */
export interface LaneSource {
  readonly lane: Lane
  /** Random id of the store that numbered the records. */
  readonly epoch: string
  readonly cursor: Cursor
  /** One past the newest record that may leave; goes back when it turns out that some may not yet. */
  readonly head: Offset
  /** One past the newest durable record: `head`, or beyond it. */
  readonly durable: Offset
  /** Oldest offset that can still be read: before the cursor lies the retained, acknowledged tail. */
  readonly tail: Offset
  /** When the oldest unforwarded record was committed; null when there is none. */
  oldestPending(): Promise<Millis | null>
  /**
   * Records from `from` on, at most `maxBytes` of lines (but at least one record, unless there are only holes).
   *
   * @param upTo end of what may be read; `head` unless said
   */
  read(from: Offset, maxBytes: Bytes, upTo?: Offset): Promise<LaneSlice>
  /**
   * To be called right before a slice is sent. True: the slice is still what the lane has there, and nothing of it will be given
   * up until the cursor moves past it or back. False: records of it were given up since it was read; read again.
   */
  lend(slice: LaneSlice): boolean
  /** Running CRC-32 of the lane up to `offset`; null when it can no longer be told. */
  lineageAt(offset: Offset): Promise<number | null>
  /** The centre has everything before `cursor.next`. May also go back (the centre forgot). */
  moveCursor(cursor: Cursor): void
  /** The centre holds another history under this epoch: number on under a new one. */
  startEpoch(): Promise<void>
  /** Calls back whenever `head` grew; the returned function ends it. */
  onGrowth(listener: () => void): () => void
}
