import { mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type BatchOperation, ClassicLevel } from 'classic-level'
import { OperatorError } from '../../sync/contract/index.ts'
import type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'

type Level = ClassicLevel<Buffer, Buffer>

/** LevelDB maps table files into memory; few open files keep resident memory flat whatever the backlog. */
const MAX_OPEN_FILES = 40
const WRITE_BUFFER_BYTES = 4 * 1024 * 1024
const BLOCK_CACHE_BYTES = 2 * 1024 * 1024
const SCAN_BATCH = 16
const SCAN_BYTES = 1024 * 1024

/** LevelDB's own lock does not hold within one process once a second opening failed, so this one does. */
const openPaths = new Set<string>()

/** The machine's own disk, with LevelDB as the store. */
export const levelDisk: Disk = {
  async openStore(path, options) {
    const key = resolve(path)
    if (openPaths.has(key)) throw locked(path)
    openPaths.add(key)
    try {
      return new LevelStore(await openLevel(path, options), () => openPaths.delete(key))
    } catch (error) {
      openPaths.delete(key)
      throw error
    }
  },

  async repairStore(path) {
    await ClassicLevel.repair(path)
  },

  async readFile(path) {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    }
  },

  async writeFile(path, text) {
    const draft = `${path}.new`
    const file = await open(draft, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },

  async makeFolder(path) {
    await mkdir(path, { recursive: true })
  },

  async freeBytes(path) {
    const facts = await statfs(path)
    return facts.bavail * facts.bsize
  },

  async reserve(path, bytes) {
    const present = await stat(path).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    })
    if (present?.size === bytes) return
    const file = await open(path, 'w')
    try {
      const chunk = Buffer.alloc(Math.min(bytes, 1024 * 1024), 0x5a)
      for (let written = 0; written < bytes; ) {
        const { bytesWritten } = await file.write(chunk, 0, Math.min(chunk.length, bytes - written))
        written += bytesWritten
      }
      await file.sync()
    } catch (error) {
      await rm(path, { force: true })
      throw error
    } finally {
      await file.close()
    }
  },

  async release(path) {
    try {
      await rm(path)
      return true
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false
      throw error
    }
  },
}

async function openLevel(path: string, options: StoreOptions): Promise<Level> {
  const db: Level = new ClassicLevel(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: options.create,
    compression: options.compression,
    cacheSize: BLOCK_CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
    maxOpenFiles: MAX_OPEN_FILES,
  })
  try {
    await db.open()
    return db
  } catch (error) {
    throw openError(path, error)
  }
}

/** classic-level says LEVEL_DATABASE_NOT_OPEN; what happened is in the cause. */
function openError(path: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = cause instanceof Error ? cause.message : String(cause)
  if (errorCode(cause) === 'LEVEL_LOCKED') return locked(path, cause)
  if (/does not exist/.test(text))
    return new OperatorError('STORE_MISSING', `there is no outbox in '${path}' although there was one`, { cause })
  if (errorCode(cause) === 'LEVEL_CORRUPTION')
    return new OperatorError(
      'STORE_DAMAGED',
      `the outbox in '${path}' cannot be opened; stop the gateway and run 'tidegate outbox repair'`,
      { cause },
    )
  return cause instanceof Error ? cause : new Error(text)
}

function locked(path: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'STORE_LOCKED',
    `the outbox in '${path}' is in use by another gateway or command; stop that one, or choose another dataDir`,
    { cause },
  )
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

class LevelStore implements KeyValueStore {
  readonly #db: Level
  readonly #closed: () => void

  constructor(db: Level, closed: () => void) {
    this.#db = db
    this.#closed = closed
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#db.get(key)
  }

  write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void> {
    return this.#db.batch(ops as BatchOperation<Level, Buffer, Buffer>[], options)
  }

  async *entries(
    range: KeyRange,
    options: { reverse?: boolean } = {},
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    const iterator = this.#db.iterator({ ...range, reverse: options.reverse ?? false, highWaterMarkBytes: SCAN_BYTES })
    try {
      // The first step is a single entry: most scans here want just one.
      for (let size = 1; ; size = SCAN_BATCH) {
        const batch = await iterator.nextv(size)
        if (batch.length === 0) return
        yield* batch
      }
    } finally {
      await iterator.close()
    }
  }

  async *keys(range: KeyRange, options: { reverse?: boolean } = {}): AsyncIterable<Buffer> {
    const iterator = this.#db.keys({ ...range, reverse: options.reverse ?? false })
    try {
      for (let size = 1; ; size = 256) {
        const batch = await iterator.nextv(size)
        if (batch.length === 0) return
        yield* batch
      }
    } finally {
      await iterator.close()
    }
  }

  clear(range: KeyRange): Promise<void> {
    return this.#db.clear(range)
  }

  compact(range: KeyRange): Promise<void> {
    return this.#db.compactRange(range.gte, range.lt)
  }

  async close(): Promise<void> {
    await this.#db.close()
    this.#closed()
  }
}
