import { type Offset, OperatorError } from '../contract/index.ts'
import { BoundedMap } from './bounded-map.ts'

/**
 * Remembers how far every origin is done, so that a consumer that crashed in the middle of a pack goes on behind the last
 * record instead of at the pack's beginning. One store belongs to one durable consumer.
 *
 * Errors: an `OperatorError` stops the consumer, anything else is retried.
 */
export interface PositionStore {
  /** The offset up to which (inclusive) everything of the origin is done; null when nothing is known. */
  load(origin: string): Promise<Offset | null> | Offset | null
  /** Everything up to `offset` (inclusive) is done. */
  save(origin: string, offset: Offset): Promise<void> | void
  /**
   * The handler itself stores the position of every record it handles, in one transaction with what it does with it: then
   * every effect happens exactly once. `save` is called only for what the handler never handles (records that became
   * dead letters, holes).
   */
  readonly transactional?: boolean
}

/** Positions that last as long as the process; after a restart, an unfinished pack is handed out again from its beginning. */
export function memoryPositions(maxOrigins = 100_000): PositionStore {
  const positions = new BoundedMap<Offset>(maxOrigins)
  return {
    load: (origin) => positions.get(origin) ?? null,
    save: (origin, offset) => positions.set(origin, offset),
  }
}

/** What is needed of a NATS key-value bucket: one of `@nats-io/kv` is one. */
export interface KeyValueBucket {
  get(key: string): Promise<{ string(): string; operation: string } | null>
  put(key: string, value: string): Promise<unknown>
}

/**
 * Positions in a key-value bucket of the centre, for consumers that move from machine to machine. Each save is a round trip:
 * set `saveEvery`, and after a crash at most so many records are handed out again.
 */
export function kvPositions(bucket: KeyValueBucket): PositionStore {
  return {
    async load(origin) {
      const entry = await bucket.get(bucketKey(origin))
      if (entry === null || entry.operation !== 'PUT') return null
      const offset = Number(entry.string())
      if (Number.isSafeInteger(offset)) return offset
      throw new OperatorError(
        'POSITION_INVALID',
        `the position of '${origin}' should be a number, it is '${entry.string()}'; repair or delete it`,
      )
    },
    async save(origin, offset) {
      await bucket.put(bucketKey(origin), String(offset))
    },
  }
}

/** An origin as a key (ADR-8: letters, digits, `-/=._`); what else it holds becomes `=XX` as in subjects. */
const bucketKey = (origin: string): string =>
  origin.replace(/[^-/=.\w]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
