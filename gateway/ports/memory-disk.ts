import { OperatorError } from '../../sync/contract/index.ts'
import type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'

type Table = Map<string, Buffer>

interface Volume {
  /** What a power cut leaves. */
  durable: Table
  /** What a reader sees: durable, and the writes that were not synced yet. */
  visible: Table
}

/**
 * A disk in memory with the failures of a real one: a power cut takes what was not synced, a full disk refuses
 * writes, and a read can find a flipped bit.
 */
export class MemoryDisk implements Disk {
  readonly #volumes = new Map<string, Volume>()
  readonly #files = new Map<string, string>()
  readonly #reserved = new Map<string, number>()
  readonly #open = new Map<string, MemoryStore>()
  /** Free space; writes are refused with ENOSPC once it is used up. */
  capacity = Number.POSITIVE_INFINITY

  async openStore(path: string, options: StoreOptions): Promise<KeyValueStore> {
    this.#assertNotOpen(path)
    let volume = this.#volumes.get(path)
    if (!volume) {
      if (!options.create) throw missing(path)
      volume = { durable: new Map(), visible: new Map() }
      this.#volumes.set(path, volume)
    }
    const store = new MemoryStore(
      volume,
      () => this.#assertSpace(),
      () => this.#open.delete(path),
    )
    this.#open.set(path, store)
    return store
  }

  async repairStore(path: string): Promise<void> {
    this.#assertNotOpen(path)
    if (!this.#volumes.has(path)) throw missing(path)
  }

  async readFile(path: string): Promise<string | null> {
    return this.#files.get(path) ?? null
  }

  async writeFile(path: string, text: string): Promise<void> {
    this.#assertSpace()
    this.#files.set(path, text)
  }

  async makeFolder(): Promise<void> {}

  async freeBytes(): Promise<number> {
    return Math.max(0, this.capacity - this.#used())
  }

  async reserve(path: string, bytes: number): Promise<void> {
    if (this.#reserved.get(path) === bytes) return
    if (this.#used() + bytes > this.capacity) throw noSpace()
    this.#reserved.set(path, bytes)
  }

  async release(path: string): Promise<boolean> {
    return this.#reserved.delete(path)
  }

  /** Kills whoever has a store open; what was not synced is gone. */
  powerCut(): void {
    for (const store of this.#open.values()) store.die()
    this.#open.clear()
    for (const volume of this.#volumes.values()) volume.visible = new Map(volume.durable)
  }

  /** Deletes a store as a broken disk would: the marker file beside it stays. */
  loseStore(path: string): void {
    this.#volumes.delete(path)
  }

  /** Flips one bit of a stored value. */
  damage(path: string, key: Buffer, byte: number): void {
    const volume = this.#volumes.get(path)
    const value = volume?.durable.get(key.toString('latin1'))
    if (!volume || !value) throw new Error(`nothing stored under ${key.toString('hex')}`)
    const broken = Buffer.from(value)
    broken.writeUInt8(broken.readUInt8(byte) ^ 1, byte)
    volume.durable.set(key.toString('latin1'), broken)
    volume.visible.set(key.toString('latin1'), broken)
  }

  /** Takes one entry away, as a damaged table does. */
  lose(path: string, key: Buffer): void {
    const volume = this.#volumes.get(path)
    volume?.durable.delete(key.toString('latin1'))
    volume?.visible.delete(key.toString('latin1'))
  }

  #assertNotOpen(path: string): void {
    if (this.#open.has(path)) throw new OperatorError('STORE_LOCKED', `the outbox in '${path}' is in use`)
  }

  #used(): number {
    let bytes = 0
    for (const size of this.#reserved.values()) bytes += size
    for (const volume of this.#volumes.values()) for (const value of volume.visible.values()) bytes += value.length
    return bytes
  }

  #assertSpace(): void {
    if (this.capacity !== Number.POSITIVE_INFINITY && this.#used() >= this.capacity) throw noSpace()
  }
}

const missing = (path: string): OperatorError => new OperatorError('STORE_MISSING', `there is no outbox in '${path}'`)

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class MemoryStore implements KeyValueStore {
  readonly #volume: Volume
  readonly #assertSpace: () => void
  readonly #closed: () => void
  #alive = true

  constructor(volume: Volume, assertSpace: () => void, closed: () => void) {
    this.#volume = volume
    this.#assertSpace = assertSpace
    this.#closed = closed
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    this.#assertAlive()
    return this.#volume.visible.get(key.toString('latin1'))
  }

  async write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void> {
    this.#assertAlive()
    if (ops.some((op) => op.type === 'put')) this.#assertSpace()
    // A write takes time, as on a real disk, and dies with the process: before it is there, or after, unanswered.
    await turn()
    this.#assertAlive()
    const { visible } = this.#volume
    for (const op of ops) {
      const key = op.key.toString('latin1')
      if (op.type === 'put') visible.set(key, Buffer.from(op.value))
      else visible.delete(key)
    }
    if (options.sync) this.#volume.durable = new Map(visible)
    await turn()
    this.#assertAlive()
  }

  async *entries(
    range: KeyRange,
    options: { reverse?: boolean } = {},
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    this.#assertAlive()
    const snapshot = new Map(this.#volume.visible)
    for (const key of this.#sortedKeys(snapshot, range, options.reverse ?? false)) {
      this.#assertAlive()
      const value = snapshot.get(key)
      if (value) yield [Buffer.from(key, 'latin1'), value]
    }
  }

  async *keys(range: KeyRange, options: { reverse?: boolean } = {}): AsyncIterable<Buffer> {
    for await (const [key] of this.entries(range, options)) yield key
  }

  async clear(range: KeyRange): Promise<void> {
    this.#assertAlive()
    for (const key of this.#sortedKeys(this.#volume.visible, range, false)) this.#volume.visible.delete(key)
  }

  async compact(): Promise<void> {
    this.#assertAlive()
  }

  async close(): Promise<void> {
    if (!this.#alive) return
    // Closing flushes nothing on a real disk either: only synced writes are sure to survive a power cut after it.
    this.#alive = false
    this.#closed()
  }

  die(): void {
    this.#alive = false
  }

  #assertAlive(): void {
    if (!this.#alive) throw new Error('the store is closed')
  }

  #sortedKeys(table: Table, range: KeyRange, reverse: boolean): string[] {
    const from = range.gte.toString('latin1')
    const to = range.lt.toString('latin1')
    const keys = [...table.keys()].filter((key) => key >= from && key < to).sort()
    return reverse ? keys.reverse() : keys
  }
}
