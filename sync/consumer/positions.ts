import type { Offset } from '../contract/index.ts'
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
