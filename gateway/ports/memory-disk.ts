import { OperatorError } from '../../sync/contract/index.ts'
import type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'
import { OrderedTable } from './ordered-table.ts'

interface Volume {
  /** What a reader sees. */
  table: OrderedTable
  /** What was there, of entries whose changes were not synced yet: a power cut brings it back. */
  unsynced: Map<string, Buffer | undefined>
  bytes: number
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
  /** The next write ends with an error: before it has an effect, or after. */
  failNextWrite: 'before' | 'after' | null = null
  readonly #takeTime: () => Promise<void>

  /** @param takeTime what a write waits for before it has an effect, and again before it is answered */
  constructor(takeTime: () => Promise<void> = turn) {
    this.#takeTime = takeTime
  }

  async openStore(path: string, options: StoreOptions): Promise<KeyValueStore> {
    this.#assertNotOpen(path)
    let volume = this.#volumes.get(path)
    if (!volume) {
      if (!options.create) throw missing(path)
      volume = { table: new OrderedTable(), unsynced: new Map(), bytes: 0 }
      this.#volumes.set(path, volume)
    }
    const store = new MemoryStore(
      volume,
      () => this.#assertSpace(),
      this.#takeTime,
      () => {
        const when = this.failNextWrite
        this.failNextWrite = null
        return when
      },
      () => this.#open.delete(path),
    )
    this.#open.set(path, store)
    return store
  }

  async repairStore(path: string): Promise<void> {
    this.#assertNotOpen(path)
    if (!this.#volumes.has(path)) throw missing(path)
  }

  async copyIndex(): Promise<string[]> {
    return []
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

  async sizeOf(path: string): Promise<number | null> {
    return this.#reserved.get(path) ?? this.#files.get(path)?.length ?? null
  }

  async reserve(path: string, bytes: number): Promise<void> {
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
    for (const volume of this.#volumes.values()) {
      for (const [key, value] of volume.unsynced) change(volume, key, value)
      volume.unsynced.clear()
    }
  }

  /** Another disk with what a power cut would leave of this one. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk(this.#takeTime)
    for (const [path, text] of this.#files) copy.#files.set(path, text)
    for (const [path, volume] of this.#volumes) {
      const twin: Volume = { table: new OrderedTable(), unsynced: new Map(), bytes: 0 }
      for (const [key, value] of volume.table.entries('', '\u0100', false)) change(twin, key, value)
      for (const [key, value] of volume.unsynced) change(twin, key, value)
      copy.#volumes.set(path, twin)
    }
    return copy
  }

  /** Deletes a store as a broken disk would: the marker file beside it stays. */
  loseStore(path: string): void {
    this.#volumes.delete(path)
  }

  /** Flips one bit of a stored value. */
  damage(path: string, key: Buffer, byte: number): void {
    const volume = this.#volumes.get(path)
    const value = volume?.table.get(key.toString('latin1'))
    if (!volume || !value) throw new Error(`nothing stored under ${key.toString('hex')}`)
    const broken = Buffer.from(value)
    broken.writeUInt8(broken.readUInt8(byte) ^ 1, byte)
    change(volume, key.toString('latin1'), broken)
  }

  /** Takes one entry away, as a damaged table does. */
  lose(path: string, key: Buffer): void {
    const volume = this.#volumes.get(path)
    if (volume) change(volume, key.toString('latin1'), undefined)
  }

  #assertNotOpen(path: string): void {
    if (this.#open.has(path)) throw new OperatorError('STORE_LOCKED', `the outbox in '${path}' is in use`)
  }

  #used(): number {
    let bytes = 0
    for (const size of this.#reserved.values()) bytes += size
    for (const volume of this.#volumes.values()) bytes += volume.bytes
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

const ioError = (): Error => Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class MemoryStore implements KeyValueStore {
  readonly #volume: Volume
  readonly #assertSpace: () => void
  readonly #takeTime: () => Promise<void>
  readonly #failing: () => MemoryDisk['failNextWrite']
  readonly #closed: () => void
  #alive = true

  constructor(
    volume: Volume,
    assertSpace: () => void,
    takeTime: () => Promise<void>,
    failing: () => MemoryDisk['failNextWrite'],
    closed: () => void,
  ) {
    this.#volume = volume
    this.#assertSpace = assertSpace
    this.#takeTime = takeTime
    this.#failing = failing
    this.#closed = closed
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    this.#assertAlive()
    return this.#volume.table.get(key.toString('latin1'))
  }

  async write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void> {
    this.#assertAlive()
    if (ops.some((op) => op.type === 'put')) this.#assertSpace()
    // A write takes time, as on a real disk, and dies with the process: before it is there, or after, unanswered.
    const failing = this.#failing()
    await this.#takeTime()
    this.#assertAlive()
    if (failing === 'before') throw ioError()
    for (const op of ops)
      changeUnsynced(this.#volume, op.key.toString('latin1'), op.type === 'put' ? Buffer.from(op.value) : undefined)
    if (options.sync) this.#volume.unsynced.clear()
    await this.#takeTime()
    this.#assertAlive()
    if (failing === 'after') throw ioError()
  }

  async *entries(
    range: KeyRange,
    options: { reverse?: boolean } = {},
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    this.#assertAlive()
    const { table } = this.#volume
    const [from, to] = [range.gte.toString('latin1'), range.lt.toString('latin1')]
    for (const [key, value] of table.entries(from, to, options.reverse ?? false)) {
      this.#assertAlive()
      yield [Buffer.from(key, 'latin1'), value]
    }
  }

  async *keys(range: KeyRange, options: { reverse?: boolean } = {}): AsyncIterable<Buffer> {
    for await (const [key] of this.entries(range, options)) yield key
  }

  async clear(range: KeyRange): Promise<void> {
    this.#assertAlive()
    const { table } = this.#volume
    for (const key of table.keys(range.gte.toString('latin1'), range.lt.toString('latin1')))
      changeUnsynced(this.#volume, key, undefined)
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
}

function change(volume: Volume, key: string, value: Buffer | undefined): void {
  volume.bytes += (value?.length ?? 0) - (volume.table.get(key)?.length ?? 0)
  volume.table.set(key, value)
}

function changeUnsynced(volume: Volume, key: string, value: Buffer | undefined): void {
  if (!volume.unsynced.has(key)) volume.unsynced.set(key, volume.table.get(key))
  change(volume, key, value)
}
