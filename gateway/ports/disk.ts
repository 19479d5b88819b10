import type { Bytes } from '../../sync/contract/index.ts'

/** One change of a batch. */
export type WriteOp = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

/** Keys from `gte` (inclusive) to `lt` (exclusive), in byte order. */
export interface KeyRange {
  gte: Buffer
  lt: Buffer
}

/**
 * An ordered key-value store with atomic batches: the only way in which this product writes data.
 * Every implementation (LevelDB, memory) passes the same conformance suite.
 *
 * Reading leaves out what the disk can no longer give back (a damaged table), as if it had never been written: whoever
 * needs to know must be able to tell from what is there. A failure of another kind may pass, so it is thrown; an
 * iteration throws it no later than at the end of its range.
 */
export interface KeyValueStore {
  get(key: Buffer): Promise<Buffer | undefined>
  /**
   * All operations or none. With `sync`, resolves only when they would survive a power cut. Call it again only after
   * the promise settled: a waiting write would park one of the few threads that all disk work shares.
   *
   * @throws OperatorError `STORE_DAMAGED`: nothing can be written any more until `Disk.repairStore` has mended the store;
   *   any other error may pass once the store was opened again
   */
  write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void>
  /**
   * Entries in key order (or its reverse). The iteration sees the store as it was when it began.
   *
   * @param options.ahead about how much the caller is sure to read: up to that, the disk works while the caller does
   */
  entries(
    range: KeyRange,
    options?: { reverse?: boolean; ahead?: Bytes },
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]>
  /** The same without reading values. */
  keys(range: KeyRange, options?: { reverse?: boolean }): AsyncIterable<Buffer>
  /** Deletes a range in key order; not synced: after a power cut some of the later keys may be there again. */
  clear(range: KeyRange): Promise<void>
  /** Gives the space of deleted keys back to the file system. */
  compact(range: KeyRange): Promise<void>
  close(): Promise<void>
}

/** Settings that a store may follow or ignore. */
export interface StoreOptions {
  /** Make an empty store when there is none. Without it, a missing store is an error and nothing is created. */
  create: boolean
  compression: boolean
}

/** The part of a file system that an outbox needs. Paths are absolute. */
export interface Disk {
  /**
   * Opens the store in folder `path`; one opening a path at a time, in this process and in others.
   * @throws OperatorError `STORE_LOCKED` when it is open elsewhere, `STORE_MISSING`, `STORE_DAMAGED`
   */
  openStore(path: string, options: StoreOptions): Promise<KeyValueStore>
  /**
   * Makes a damaged store work again with everything that can still be read. Nobody may have it open.
   * @throws OperatorError `STORE_LOCKED`, `STORE_MISSING` when there is nothing to repair
   */
  repairStore(path: string): Promise<void>
  /**
   * Copies the small files that say which tables belong to the store into folder `to`, so that a repair can be undone.
   * @returns their names; none when the store keeps no such files
   */
  copyIndex(path: string, to: string): Promise<string[]>
  /** The file's text, or null when there is none. */
  readFile(path: string): Promise<string | null>
  /** Replaces the file in one step that survives a power cut. */
  writeFile(path: string, text: string): Promise<void>
  makeFolder(path: string): Promise<void>
  /** Bytes that an ordinary process may still write below `path`. */
  freeBytes(path: string): Promise<Bytes>
  /** Size of the file; null when there is none. */
  sizeOf(path: string): Promise<Bytes | null>
  /** Makes the file `bytes` long, with real blocks behind it (not a hole). */
  reserve(path: string, bytes: Bytes): Promise<void>
  /** Deletes the file if it is there; returns whether it was. */
  release(path: string): Promise<boolean>
}
