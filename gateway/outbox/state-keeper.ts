import type { Offset } from '../../sync/contract/index.ts'

/** The stored form of one part of the state machine; null deletes it. */
export type SnapshotSlice = readonly [name: string, value: Buffer | null]

/** What is on disk of the state machine: slices of different age, and the records behind the oldest of them. */
export interface StoredState {
  slices(): AsyncIterable<readonly [name: string, value: Buffer]>
  /** What other parts attached to commits, by the name they gave it. */
  attached(): AsyncIterable<readonly [name: string, value: Buffer]>
  /** Records of the readings lane that at least one slice does not know yet, in order. */
  records(): AsyncIterable<readonly [offset: Offset, line: string]>
  /** The same of the peers' readings lanes, as far as they were heard; those of one origin in order. */
  heard(): AsyncIterable<readonly [origin: string, offset: Offset, line: string]>
}

/**
 * Keeps the deterministic state whose inputs are the records of the readings lane, and of those of peers. The outbox asks it for a few changed
 * slices with every commit (so a snapshot never pauses anything) and hands everything back when it opens.
 */
export interface StateKeeper {
  /**
   * The parts that changed longest ago, as of all records appended so far: about as many as keep replay short, and never
   * more than are written in a moment.
   * @param records number of records in the commit that carries them; Infinity = as many as may be
   */
  takeSlices(records: number): readonly SnapshotSlice[]
  /** Every record from here on is needed to rebuild what the slices taken so far do not hold. */
  replayFrom(head: Offset): Offset
  /** The same of a peer's readings lane; `head` is how far that was heard. */
  hearFrom(origin: string, head: Offset): Offset
  /** Forgets everything and starts again from what is stored. */
  rebuild(stored: StoredState): Promise<void>
}
