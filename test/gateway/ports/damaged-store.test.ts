import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type KeyValueStore, levelDisk } from '../../../gateway/ports/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

const OPTIONS = { create: true, compression: true }
const COUNT = 60

const keyOf = (n: number): Buffer => Buffer.from([1, n])
const RANGE = { gte: keyOf(0), lt: keyOf(COUNT) }
const numbers = Array.from({ length: COUNT }, (_, n) => n)

async function open(path: string, create = false): Promise<KeyValueStore> {
  const store = await levelDisk.openStore(path, { ...OPTIONS, create })
  onTestFinished(() => store.close())
  return store
}

/** A store with COUNT values of about 20 kB, each a table block of its own, in tables or still in the log. */
async function filled(where: 'tables' | 'log'): Promise<string> {
  const path = join(await tempDir(), 'db')
  const store = await open(path, true)
  for (const n of numbers) await store.write([{ type: 'put', key: keyOf(n), value: value(n) }], { sync: false })
  if (where === 'tables') await store.compact(RANGE)
  await store.close()
  return path
}

const value = (n: number): Buffer => Buffer.from(Array.from({ length: 2000 }, (_, i) => `${n * i * 7919}`).join())

async function file(path: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(path)).find((candidate) => pattern.test(candidate))
  if (name === undefined) throw new Error(`nothing like ${pattern} in ${path}`)
  return join(path, name)
}

/** Overwrites some bytes in the middle of a file, as a bad sector does. */
async function spoil(path: string, length: number): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes.fill(0xff, middle, middle + length)
  await writeFile(path, bytes)
}

async function readable(store: KeyValueStore, reverse = false): Promise<number[]> {
  const found: number[] = []
  for await (const [key, content] of store.entries(RANGE, { reverse })) {
    const n = key.readUInt8(1)
    expect(content.equals(value(n))).toBe(true)
    found.push(n)
  }
  const keys: number[] = []
  for await (const key of store.keys(RANGE, { reverse })) keys.push(key.readUInt8(1))
  expect(keys).toEqual(found)
  return found
}

describe('a LevelDB store with a damaged table block', () => {
  it('hands out everything else, in both directions, the very last entries included', async () => {
    const path = await filled('tables')
    await spoil(await file(path, /\.ldb$/), 4096)
    const store = await open(path)
    const found = await readable(store)
    const missing = numbers.filter((n) => !found.includes(n))
    expect(missing.length).toBeGreaterThanOrEqual(1)
    expect(missing.length).toBeLessThanOrEqual(2)
    expect(await readable(store, true)).toEqual(found.toReversed())
    for (const n of missing) expect(await store.get(keyOf(n))).toBeUndefined()
    expect((await store.get(keyOf(COUNT - 1)))?.equals(value(COUNT - 1))).toBe(true)
  })

  it('asks for repair once a compaction has met it, and is mended by that', async () => {
    const path = await filled('tables')
    await spoil(await file(path, /\.ldb$/), 4096)
    const store = await open(path)
    const found = await readable(store)
    for (const n of numbers)
      await store.write([{ type: 'put', key: Buffer.from([2, n]), value: value(n) }], { sync: false })
    await store.write([{ type: 'put', key: keyOf(0), value: value(0) }], { sync: true })
    await store.compact({ gte: Buffer.from([0]), lt: Buffer.from([9]) })
    await expect(store.write([{ type: 'put', key: keyOf(0), value: value(0) }], { sync: true })).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
    })
    await store.close()
    await levelDisk.repairStore(path)
    const mended = await open(path)
    expect(await readable(mended)).toEqual(found)
    await mended.compact({ gte: Buffer.from([0]), lt: Buffer.from([9]) })
    await mended.write([{ type: 'put', key: keyOf(0), value: value(0) }], { sync: true })
  })
})

describe('a LevelDB store with a damaged log', () => {
  it('opens without the records that were hit, and the holes can be seen', async () => {
    const path = await filled('log')
    await spoil(await file(path, /\.log$/), 8)
    const found = await readable(await open(path))
    expect(found.length).toBeLessThan(COUNT)
    expect(found.length).toBeGreaterThan(COUNT - 8)
    expect(found).toContain(0)
    expect(found).toContain(COUNT - 1)
  })
})

describe('a LevelDB store whose index is gone', () => {
  const damages: [string, (path: string) => Promise<void>][] = [
    ['CURRENT is missing', async (path) => rm(join(path, 'CURRENT'))],
    ['CURRENT is empty', async (path) => truncate(join(path, 'CURRENT'), 0)],
    ['CURRENT names no file', async (path) => writeFile(join(path, 'CURRENT'), 'MANIFEST-999999\n')],
    ['MANIFEST is missing', async (path) => rm(await file(path, /^MANIFEST/))],
    ['MANIFEST is cut short', async (path) => truncate(await file(path, /^MANIFEST/), 20)],
    ['MANIFEST is damaged', async (path) => spoil(await file(path, /^MANIFEST/), 8)],
  ]

  it.each(damages)('does not open when %s, and repair brings everything back', async (_, damage) => {
    const path = await filled('tables')
    await damage(path)
    const opening = levelDisk.openStore(path, { ...OPTIONS, create: false })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    await expect(opening).rejects.toThrow('tidegate outbox repair')
    await levelDisk.repairStore(path)
    expect(await readable(await open(path))).toEqual(numbers)
  })

  it('is told apart from a store that is not there at all', async () => {
    const path = await filled('tables')
    await rm(path, { recursive: true })
    await expect(levelDisk.openStore(path, { ...OPTIONS, create: false })).rejects.toMatchObject({
      code: 'STORE_MISSING',
    })
    await expect(levelDisk.repairStore(path)).rejects.toMatchObject({ code: 'STORE_MISSING' })
  })
})

describe('a copy of a LevelDB store that is open', () => {
  it('has everything that was synced', async () => {
    const path = join(await tempDir(), 'db')
    const store = await open(path, true)
    for (const n of numbers) await store.write([{ type: 'put', key: keyOf(n), value: value(n) }], { sync: true })
    const copy = join(await tempDir(), 'db')
    await cp(path, copy, { recursive: true })
    expect(await readable(await open(copy))).toEqual(numbers)
  })
})
