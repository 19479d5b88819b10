import type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from '../../gateway/ports/index.ts'

/** A disk that fails when told to, around one that does not. */
export class FaultyDisk implements Disk {
  readonly #disk: Disk
  /** Thrown by the next write instead of writing; null = works. */
  failWrite: Error | null = null
  /** Thrown by the next write after it has taken effect: an error of which nobody knows what it left. */
  failAfterWrite: Error | null = null
  /** Thrown by every opening. */
  failOpen: Error | null = null
  /** Thrown when asked for the free space. */
  failFree: Error | null = null
  /** Thrown when the reserve is to be made. */
  failReserve: Error | null = null
  /** Thrown instead of deleting a range. */
  failClear: Error | null = null
  /** Keys (hexadecimal) that cannot be read for the time being: left out, and an error at the end of the range. */
  readonly unreadable = new Set<string>()
  /** Counts since the start. */
  readonly counts = { opened: 0, repaired: 0, entriesRead: 0, bytesRead: 0, keysRead: 0, writes: 0 }
  /** The store that was opened last. */
  newest: KeyValueStore | null = null
  /** Writes wait for this, if it is set. */
  gate: Promise<void> | null = null

  constructor(disk: Disk) {
    this.#disk = disk
  }

  async openStore(path: string, options: StoreOptions): Promise<KeyValueStore> {
    if (this.failOpen) throw this.failOpen
    this.counts.opened++
    const store = new FaultyStore(this, await this.#disk.openStore(path, options))
    this.newest = store
    return store
  }

  async repairStore(path: string): Promise<void> {
    this.counts.repaired++
    await this.#disk.repairStore(path)
  }

  copyIndex(path: string, to: string): Promise<string[]> {
    return this.#disk.copyIndex(path, to)
  }

  readFile(path: string): Promise<string | null> {
    return this.#disk.readFile(path)
  }

  writeFile(path: string, text: string): Promise<void> {
    return this.#disk.writeFile(path, text)
  }

  makeFolder(path: string): Promise<void> {
    return this.#disk.makeFolder(path)
  }

  async freeBytes(path: string): Promise<number> {
    if (this.failFree) throw this.failFree
    return this.#disk.freeBytes(path)
  }

  sizeOf(path: string): Promise<number | null> {
    return this.#disk.sizeOf(path)
  }

  async reserve(path: string, bytes: number): Promise<void> {
    if (this.failReserve) throw this.failReserve
    await this.#disk.reserve(path, bytes)
  }

  release(path: string): Promise<boolean> {
    return this.#disk.release(path)
  }
}

class FaultyStore implements KeyValueStore {
  readonly #faults: FaultyDisk
  readonly #store: KeyValueStore

  constructor(faults: FaultyDisk, store: KeyValueStore) {
    this.#faults = faults
    this.#store = store
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.get(key)
  }

  async write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void> {
    this.#faults.counts.writes++
    await this.#faults.gate
    const { failWrite } = this.#faults
    this.#faults.failWrite = null
    if (failWrite) throw failWrite
    await this.#store.write(ops, options)
    const { failAfterWrite } = this.#faults
    this.#faults.failAfterWrite = null
    if (failAfterWrite) throw failAfterWrite
  }

  async *entries(
    range: KeyRange,
    options?: { reverse?: boolean },
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    let skipped = false
    for await (const entry of this.#store.entries(range, options)) {
      if (this.#faults.unreadable.has(entry[0].toString('hex'))) {
        skipped = true
        continue
      }
      this.#faults.counts.entriesRead++
      this.#faults.counts.bytesRead += entry[1].length
      yield entry
    }
    if (skipped) throw new Error('EMFILE: too many open files')
  }

  async *keys(range: KeyRange, options?: { reverse?: boolean }): AsyncIterable<Buffer> {
    let skipped = false
    for await (const key of this.#store.keys(range, options)) {
      if (this.#faults.unreadable.has(key.toString('hex'))) {
        skipped = true
        continue
      }
      this.#faults.counts.keysRead++
      yield key
    }
    if (skipped) throw new Error('EMFILE: too many open files')
  }

  async clear(range: KeyRange): Promise<void> {
    if (this.#faults.failClear) throw this.#faults.failClear
    return this.#store.clear(range)
  }

  compact(range: KeyRange): Promise<void> {
    return this.#store.compact(range)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
