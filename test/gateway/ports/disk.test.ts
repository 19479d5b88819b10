import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Disk,
  type KeyRange,
  type KeyValueStore,
  levelDisk,
  MemoryDisk,
  type WriteOp,
} from '../../../gateway/ports/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

const OPTIONS = { create: true, compression: true }
const ALL = { gte: Buffer.from([0]), lt: Buffer.from([0xff, 0xff]) }

const key = (text: string): Buffer => Buffer.from(text)
const put = (name: string, value = name): WriteOp => ({ type: 'put', key: key(name), value: Buffer.from(value) })
const del = (name: string): WriteOp => ({ type: 'del', key: key(name) })

async function open(disk: Disk, path: string): Promise<KeyValueStore> {
  const store = await disk.openStore(path, OPTIONS)
  onTestFinished(() => store.close())
  return store
}

async function entriesOf(store: KeyValueStore, range: KeyRange = ALL, reverse = false): Promise<string[]> {
  const found: string[] = []
  for await (const [name, value] of store.entries(range, { reverse })) found.push(`${name}=${value}`)
  return found
}

async function keysOf(store: KeyValueStore, range: KeyRange = ALL, reverse = false): Promise<string[]> {
  const found: string[] = []
  for await (const name of store.keys(range, { reverse })) found.push(name.toString())
  return found
}

describe.each([
  ['levelDisk', () => levelDisk],
  ['MemoryDisk', () => new MemoryDisk()],
])('%s', (_, makeDisk) => {
  it('keeps what was written, over closing and opening', async () => {
    const disk = makeDisk()
    const path = join(await tempDir(), 'db')
    const store = await open(disk, path)
    await store.write([put('a', '1'), put('b', '2'), del('c')], { sync: true })
    await store.write([put('b', '3'), del('a')], { sync: true })
    await store.close()
    const again = await open(disk, path)
    expect(await again.get(key('a'))).toBeUndefined()
    expect((await again.get(key('b')))?.toString()).toBe('3')
    expect(await entriesOf(again)).toEqual(['b=3'])
  })

  it('hands out ranges in byte order, both ways, lower bound included, upper excluded', async () => {
    const disk = makeDisk()
    const store = await open(disk, join(await tempDir(), 'db'))
    const names = Array.from({ length: 700 }, (_, i) => `k${String(i).padStart(3, '0')}`)
    await store.write(
      names.map((name) => put(name)),
      { sync: false },
    )
    const range = { gte: key('k003'), lt: key('k650') }
    const expected = names.slice(3, 650)
    expect(await keysOf(store, range)).toEqual(expected)
    expect(await keysOf(store, range, true)).toEqual(expected.toReversed())
    expect(await entriesOf(store, range)).toEqual(expected.map((name) => `${name}=${name}`))
    expect(await entriesOf(store, range, true)).toEqual(expected.toReversed().map((name) => `${name}=${name}`))
    expect(await keysOf(store, { gte: key('x'), lt: key('y') })).toEqual([])
  })

  it('behaves like a sorted map', async () => {
    const names = fc.uint8Array({ minLength: 1, maxLength: 3 })
    const change = fc.oneof(
      fc.record({ type: fc.constant('put' as const), key: names, value: fc.uint8Array({ maxLength: 5 }) }),
      fc.record({ type: fc.constant('del' as const), key: names }),
      fc.record({ type: fc.constant('clear' as const), key: names, to: names }),
    )
    const dir = await tempDir()
    let n = 0
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), names, names, async (changes, from, to) => {
        const disk = makeDisk()
        const store = await disk.openStore(join(dir, String(n++)), OPTIONS)
        const reference = new Map<string, string>()
        for (const one of changes) {
          const hex = Buffer.from(one.key).toString('hex')
          if (one.type === 'clear') {
            const until = Buffer.from(one.to).toString('hex')
            await store.clear({ gte: Buffer.from(one.key), lt: Buffer.from(one.to) })
            for (const name of [...reference.keys()]) if (name >= hex && name < until) reference.delete(name)
          } else if (one.type === 'put') {
            await store.write([{ type: 'put', key: Buffer.from(one.key), value: Buffer.from(one.value) }], {
              sync: false,
            })
            reference.set(hex, Buffer.from(one.value).toString('hex'))
          } else {
            await store.write([{ type: 'del', key: Buffer.from(one.key) }], { sync: false })
            reference.delete(hex)
          }
        }
        const range = { gte: Buffer.from(from), lt: Buffer.from(to) }
        const found: [string, string][] = []
        for await (const [name, value] of store.entries(range))
          found.push([name.toString('hex'), value.toString('hex')])
        await store.close()
        const inRange = [...reference].filter(
          ([name]) => name >= range.gte.toString('hex') && name < range.lt.toString('hex'),
        )
        expect(found).toEqual(inRange.sort(([a], [b]) => (a < b ? -1 : 1)))
      }),
      { numRuns: 25 },
    )
  })

  it('shows an iteration the store as it was when it began', async () => {
    const disk = makeDisk()
    const store = await open(disk, join(await tempDir(), 'db'))
    await store.write([put('a'), put('b'), put('c')], { sync: true })
    const found: string[] = []
    for await (const [name] of store.entries(ALL)) {
      found.push(name.toString())
      if (found.length === 1) await store.write([del('b'), put('bb'), put('d')], { sync: true })
    }
    expect(found).toEqual(['a', 'b', 'c'])
    expect(await keysOf(store)).toEqual(['a', 'bb', 'c', 'd'])
  })

  it('can leave an iteration early and go on writing', async () => {
    const disk = makeDisk()
    const store = await open(disk, join(await tempDir(), 'db'))
    await store.write([put('a'), put('b')], { sync: true })
    for await (const _ of store.entries(ALL)) break
    for await (const _ of store.keys(ALL)) break
    await store.clear(ALL)
    await store.compact(ALL)
    expect(await keysOf(store)).toEqual([])
  })

  it('may be told how much will be read, and gives the same however much is', async () => {
    const store = await open(makeDisk(), join(await tempDir(), 'db'))
    const names = Array.from({ length: 300 }, (_, i) => String(i).padStart(3, '0'))
    const body = 'x'.repeat(2000)
    await store.write(
      names.map((name) => put(name, `${name}${body}`)),
      { sync: true },
    )
    for (const ahead of [1, 50_000, 1e9]) {
      const found: string[] = []
      for await (const [name] of store.entries(ALL, { ahead })) found.push(name.toString())
      expect(found).toEqual(names)
      for await (const [name] of store.entries(ALL, { ahead })) if (name.toString() === '123') break
    }
    await store.write([del('000')], { sync: true })
    expect((await keysOf(store)).length).toBe(299)
  })

  it('has one opening a path at a time', async () => {
    const disk = makeDisk()
    const path = join(await tempDir(), 'db')
    const store = await open(disk, path)
    await expect(disk.openStore(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(disk.openStore(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(disk.repairStore(path)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await store.write([put('still')], { sync: true })
    await store.close()
    const again = await open(disk, path)
    expect(await keysOf(again)).toEqual(['still'])
    // A late second close of the first opening must not unlock the second.
    await store.close()
    await expect(disk.openStore(path, OPTIONS)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  })

  it('does not make a store that should be there', async () => {
    const disk = makeDisk()
    const path = join(await tempDir(), 'db')
    const missing = { ...OPTIONS, create: false }
    await expect(disk.openStore(path, missing)).rejects.toMatchObject({ code: 'STORE_MISSING' })
    await expect(disk.openStore(path, missing)).rejects.toMatchObject({ code: 'STORE_MISSING' })
    await expect(disk.repairStore(path)).rejects.toMatchObject({ code: 'STORE_MISSING' })
  })

  it('keeps everything when a sound store is repaired', async () => {
    const disk = makeDisk()
    const path = join(await tempDir(), 'db')
    const store = await open(disk, path)
    await store.write([put('a'), put('b')], { sync: true })
    await store.close()
    await disk.repairStore(path)
    expect(await keysOf(await open(disk, path))).toEqual(['a', 'b'])
  })

  it('refuses to work once closed', async () => {
    const disk = makeDisk()
    const store = await open(disk, join(await tempDir(), 'db'))
    await store.close()
    await expect(store.write([put('a')], { sync: true })).rejects.toThrow()
    await expect(store.get(key('a'))).rejects.toThrow()
    await expect(keysOf(store)).rejects.toThrow()
  })

  it('replaces a file in one step, and says when there is none', async () => {
    const disk = makeDisk()
    const dir = await tempDir()
    const path = join(dir, 'facts.json')
    expect(await disk.readFile(path)).toBeNull()
    await disk.writeFile(path, 'one')
    await disk.writeFile(path, 'two')
    expect(await disk.readFile(path)).toBe('two')
  })

  it('makes folders that may be there already', async () => {
    const disk = makeDisk()
    const path = join(await tempDir(), 'a', 'b')
    await disk.makeFolder(path)
    await disk.makeFolder(path)
    await disk.writeFile(join(path, 'f'), 'x')
    expect(await disk.readFile(join(path, 'f'))).toBe('x')
  })

  it('holds space back and gives it up', async () => {
    const disk = makeDisk()
    if (disk instanceof MemoryDisk) disk.capacity = 10_000_000
    const dir = await tempDir()
    const path = join(dir, 'reserve')
    expect(await disk.freeBytes(dir)).toBeGreaterThan(5_000_000)
    expect(await disk.sizeOf(path)).toBeNull()
    await disk.reserve(path, 3_000_000)
    expect(await disk.sizeOf(path)).toBe(3_000_000)
    await disk.reserve(path, 1_000_000)
    expect(await disk.sizeOf(path)).toBe(1_000_000)
    expect(await disk.release(path)).toBe(true)
    expect(await disk.sizeOf(path)).toBeNull()
    expect(await disk.release(path)).toBe(false)
  })
})

describe('levelDisk', () => {
  it('knows one store under two paths', async () => {
    const dir = await tempDir()
    const real = join(dir, 'real')
    await levelDisk.makeFolder(real)
    await symlink(real, join(dir, 'link'))
    await open(levelDisk, join(real, 'db'))
    await expect(levelDisk.openStore(join(dir, 'link', 'db'), OPTIONS)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(levelDisk.openStore(join(dir, 'link', '.', 'db'), OPTIONS)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
    })
  })

  it('says who may be in the way when another process has the store open', async () => {
    const path = join(await tempDir(), 'db')
    const script = `
      import { ClassicLevel } from 'classic-level'
      const db = new ClassicLevel(process.argv[1])
      await db.open()
      process.stdout.write('open')
      process.stdin.on('end', () => db.close()).resume()`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      cwd: join(import.meta.dirname, '../../..'),
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const gone = once(child, 'exit')
    await once(child.stdout, 'data')
    const opening = levelDisk.openStore(path, OPTIONS)
    await expect(opening).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(opening).rejects.toThrow(`'${path}' is in use by another gateway or command; stop that one`)
    await expect(levelDisk.repairStore(path)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    child.stdin.end()
    await gone
    await open(levelDisk, path)
  })
})

describe('MemoryDisk', () => {
  it('loses in a power cut what was not synced, and whoever had it open', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk, '/db')
    await store.write([put('a')], { sync: true })
    await store.write([put('b')], { sync: false })
    expect(await keysOf(store)).toEqual(['a', 'b'])
    const underWay = store.write([put('c')], { sync: true })
    disk.powerCut()
    await expect(underWay).rejects.toThrow()
    await expect(store.get(key('a'))).rejects.toThrow()
    expect(await keysOf(await open(disk, '/db'))).toEqual(['a'])
  })

  it('can cut the power between a write and its answer', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk, '/db')
    const underWay = store.write([put('a')], { sync: true })
    await new Promise((resolve) => setImmediate(resolve))
    disk.powerCut()
    await expect(underWay).rejects.toThrow()
    expect(await keysOf(await open(disk, '/db'))).toEqual(['a'])
  })

  it('refuses writes with ENOSPC once it is full, and still deletes', async () => {
    const disk = new MemoryDisk()
    disk.capacity = 100
    const store = await open(disk, '/db')
    await store.write([put('a', 'x'.repeat(100))], { sync: true })
    expect(await disk.freeBytes()).toBe(0)
    await expect(store.write([put('b')], { sync: true })).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(disk.reserve('/reserve', 1)).rejects.toMatchObject({ code: 'ENOSPC' })
    await store.write([del('a')], { sync: true })
    await store.write([put('b')], { sync: true })
  })

  it('flips one bit of a value, or loses an entry', async () => {
    const disk = new MemoryDisk()
    const store = await open(disk, '/db')
    await store.write([put('a', 'abc'), put('b')], { sync: true })
    disk.damage('/db', key('a'), 1)
    disk.lose('/db', key('b'))
    expect(await entriesOf(store)).toEqual(['a=acc'])
  })
})
