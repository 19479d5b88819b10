import { copyFile, mkdir, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { type Bytes, OperatorError } from '../../sync/contract/index.ts'
import type { KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'

type Level = ClassicLevel<Buffer, Buffer>

/** LevelDB maps table files into memory; few open files keep resident memory flat whatever the backlog. */
const MAX_OPEN_FILES = 40
const WRITE_BUFFER_BYTES = 4 * 1024 * 1024
const BLOCK_CACHE_BYTES = 2 * 1024 * 1024
const SCAN_BATCH = 64
const KEY_BATCH = 256
const SCAN_BYTES = 32 * 1024

/** LevelDB's own lock does not hold within one process once a second opening failed, so this one does. */
const openPaths = new Set<string>()

/**
 * Opens LevelDB in folder `path`.
 *
 * @throws OperatorError `STORE_LOCKED`, `STORE_MISSING`, `STORE_DAMAGED`
 */
export async function openLevelStore(path: string, options: StoreOptions): Promise<KeyValueStore> {
  const unlock = await lock(path)
  try {
    return new LevelStore(await openLevel(path, options), unlock)
  } catch (error) {
    unlock()
    throw await openError(path, error)
  }
}

/**
 * LevelDB's repair: keeps what can be read of tables and logs, and moves what it replaced to `lost/`. It looks at no lock, so
 * nobody may have the store open.
 *
 * @throws OperatorError `STORE_LOCKED`, `STORE_MISSING` when there is nothing to repair
 */
export async function repairLevelStore(path: string): Promise<void> {
  const unlock = await lock(path)
  try {
    if (!(await holdsData(path))) throw missing(path)
    // Opening asks for the lock before it looks at anything else: any other failure means that nobody has it.
    const db = level(path, { create: false, compression: true })
    await db.open().catch((error: unknown) => {
      if (errorCode(causeOf(error)) === 'LEVEL_LOCKED') throw locked(path, causeOf(error))
    })
    await db.close()
    await ClassicLevel.repair(path)
  } finally {
    unlock()
  }
}

/** Copies what LevelDB knows about its tables (`CURRENT`, `MANIFEST-*`) and its own log of what it did (`LOG*`). */
export async function copyLevelIndex(path: string, to: string): Promise<string[]> {
  const names = (await namesIn(path)).filter((name) => /^(CURRENT|MANIFEST-\d+|LOG(\.old)?)$/.test(name))
  await mkdir(to, { recursive: true })
  for (const name of names) await copyFile(join(path, name), join(to, name))
  return names.sort()
}

function level(path: string, options: StoreOptions): Level {
  return new ClassicLevel<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: options.create,
    compression: options.compression,
    cacheSize: BLOCK_CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
    maxOpenFiles: MAX_OPEN_FILES,
  })
}

async function openLevel(path: string, options: StoreOptions): Promise<Level> {
  // LevelDB would make the folder before it finds that it may not.
  if (!options.create) await stat(path)
  const db = level(path, options)
  await db.open()
  return db
}

/** Marks the path as open in this process; the returned function ends that, once. */
async function lock(path: string): Promise<() => void> {
  // The folder may not exist yet, and the one above it may be a link: two ways to one store must give one key.
  const parent = dirname(resolve(path))
  const key = join(await realpath(parent).catch(() => parent), basename(path))
  if (openPaths.has(key)) throw locked(path)
  openPaths.add(key)
  let held = true
  return () => {
    if (held) openPaths.delete(key)
    held = false
  }
}

/** classic-level says LEVEL_DATABASE_NOT_OPEN; what happened is in the cause. */
const causeOf = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? error.cause : error

async function openError(path: string, error: unknown): Promise<Error> {
  const cause = causeOf(error)
  const text = cause instanceof Error ? cause.message : String(cause)
  if (errorCode(cause) === 'LEVEL_LOCKED') return locked(path, cause)
  const noIndex = /does not exist/.test(text) || errorCode(cause) === 'ENOENT'
  if (noIndex && !(await holdsData(path))) return missing(path, cause)
  // A missing file of the store's own is damage too, although LevelDB calls it an input error.
  if (noIndex || errorCode(cause) === 'LEVEL_CORRUPTION' || /No such file or directory/.test(text))
    return damaged(path, cause)
  return cause instanceof Error ? cause : new Error(text)
}

/** Whether there are tables or logs in the folder. */
async function holdsData(path: string): Promise<boolean> {
  return (await namesIn(path)).some((name) => /\.(ldb|sst|log)$/.test(name))
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

function locked(path: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'STORE_LOCKED',
    `the outbox in '${path}' is in use by another gateway or command; stop that one, or choose another dataDir`,
    { cause },
  )
}

function missing(path: string, cause?: unknown): OperatorError {
  return new OperatorError(
    'STORE_MISSING',
    `there is no outbox in '${path}' although there was one; restore it, or delete the data folder around it to begin anew (what was not forwarded is lost then)`,
    { cause },
  )
}

function damaged(path: string, cause: unknown): OperatorError {
  return new OperatorError(
    'STORE_DAMAGED',
    `the outbox in '${path}' is damaged; stop the gateway and run 'tidegate outbox repair'`,
    { cause },
  )
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const isDamage = (error: unknown): boolean => errorCode(error) === 'LEVEL_CORRUPTION'

class LevelStore implements KeyValueStore {
  readonly #db: Level
  readonly #unlock: () => void
  #closed: Promise<void> | null = null

  constructor(db: Level, unlock: () => void) {
    this.#db = db
    this.#unlock = unlock
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.#db.get(key)
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  async write(ops: readonly WriteOp[], options: { sync: boolean }): Promise<void> {
    try {
      // Op by op, because an array of ops costs twice as much: every property of every one is asked for through the binding.
      const batch = this.#db.batch()
      for (const op of ops) {
        if (op.type === 'put') batch.put(op.key, op.value)
        else batch.del(op.key)
      }
      await batch.write(options)
    } catch (error) {
      // A compaction met a damaged table: LevelDB refuses every write from there on.
      throw isDamage(error) ? damaged(this.#db.location, error) : error
    }
  }

  entries(
    range: KeyRange,
    { reverse = false, ahead = 0 }: { reverse?: boolean; ahead?: Bytes } = {},
  ): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    const open = (part: KeyRange): Scan<[Buffer, Buffer]> =>
      this.#db.iterator({ ...part, reverse, highWaterMarkBytes: SCAN_BYTES })
    return scan(
      open,
      range,
      reverse,
      { batch: SCAN_BATCH, ahead },
      {
        key: ([key]) => key,
        bytes: ([, value]) => value.length,
      },
    )
  }

  keys(range: KeyRange, options: { reverse?: boolean } = {}): AsyncIterable<Buffer> {
    const reverse = options.reverse ?? false
    return scan(
      (part) => this.#db.keys({ ...part, reverse }),
      range,
      reverse,
      { batch: KEY_BATCH, ahead: 0 },
      { key: (key) => key, bytes: (key) => key.length },
    )
  }

  clear(range: KeyRange): Promise<void> {
    return this.#db.clear(range)
  }

  compact(range: KeyRange): Promise<void> {
    return this.#db.compactRange(range.gte, range.lt)
  }

  close(): Promise<void> {
    this.#closed ??= this.#db.close().finally(this.#unlock)
    return this.#closed
  }
}

interface Scan<T> {
  nextv(size: number): Promise<T[]>
  close(): Promise<void>
}

/**
 * All entries that can be read. LevelDB steps over a damaged table block and reports it at the end of the range, in the
 * place of the last batch; so from the last entry that came, the rest is asked for one by one.
 */
async function* scan<T>(
  open: (part: KeyRange) => Scan<T>,
  range: KeyRange,
  reverse: boolean,
  fetch: { batch: number; ahead: Bytes },
  of: { key: (entry: T) => Buffer; bytes: (entry: T) => Bytes },
): AsyncIterable<T> {
  let rest = range
  let ahead = fetch.ahead
  for (const most of [fetch.batch, 1]) {
    const iterator = open(rest)
    // The first step is a single entry: most scans here want just one.
    let fetching: Promise<T[]> | null = iterator.nextv(1)
    try {
      for (;;) {
        const entries: T[] = await (fetching ?? iterator.nextv(most))
        const last = entries.at(-1)
        if (last === undefined) return
        for (const entry of entries) ahead -= of.bytes(entry)
        fetching = ahead > 0 ? iterator.nextv(most) : null
        yield* entries
        rest = reverse ? { gte: range.gte, lt: of.key(last) } : { gte: successor(of.key(last)), lt: range.lt }
      }
    } catch (error) {
      if (!isDamage(error)) throw error
    } finally {
      // Whoever stops reading does not want to know how the rest would have been.
      fetching?.catch(() => undefined)
      await iterator.close()
    }
  }
}

/** The smallest key behind `key`. */
const successor = (key: Buffer): Buffer => Buffer.concat([key, Buffer.from([0])])
