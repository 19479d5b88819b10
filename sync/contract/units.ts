/** Milliseconds: a duration, or (where the name says `time`, `received` or `at`) Unix time. */
export type Millis = number

/** A number of bytes. */
export type Bytes = number

/**
 * Position of a record in one lane of one origin: 0, 1, 2, ... without holes. A safe integer:
 * 2^53 records are three centuries at a million a second.
 */
export type Offset = number

/** Sequence number that a JetStream stream gave to a stored message; 0 = "no message yet". */
export type StreamSequence = number
