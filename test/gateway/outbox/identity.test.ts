import { execFile } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { namedKey } from '../../../gateway/outbox/keys.ts'
import { levelDisk, MemoryDisk } from '../../../gateway/ports/index.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { fill, range, readSeqs } from './support/lane.ts'

async function opened(options: Parameters<typeof openOutbox>[0]): Promise<TestOutbox> {
  const box = await openOutbox(options)
  onTestFinished(() => box.outbox.close())
  return box
}

const IDENTITY = namedKey('m', 'identity')

/** A data folder with some readings in it. */
async function made(): Promise<string> {
  const dir = await tempDir()
  const { outbox, put } = await openOutbox({ disk: levelDisk, dir })
  for (const seq of range(1, 5)) await put(reading(seq))
  await outbox.close()
  return dir
}

describe('the data folder of an outbox', () => {
  it('is open once in a process', async () => {
    const dir = await tempDir()
    const box = await opened({ disk: levelDisk, dir })
    const second = openOutbox({ disk: levelDisk, dir })
    await expect(second).rejects.toMatchObject({ code: 'STORE_LOCKED', name: 'OperatorError' })
    await expect(second).rejects.toThrow('in use by another gateway or command; stop that one')
    // And goes on unharmed.
    expect(await box.put(reading(1))).toBe(true)
  })

  it('is open in one process only', async () => {
    const dir = await tempDir()
    await opened({ disk: levelDisk, dir })
    const script = `
      import { openOutbox } from './test/support/outbox.ts'
      import { levelDisk } from './gateway/ports/index.ts'
      await openOutbox({ disk: levelDisk, dir: process.argv[1] }).catch((error) => console.log(error.code))`
    const root = join(import.meta.dirname, '../../..')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script, dir],
      { cwd: root },
    )
    expect(stdout.trim()).toBe('STORE_LOCKED')
  })

  it('is not taken for empty when its store is gone', async () => {
    const dir = await made()
    await rm(join(dir, 'db'), { recursive: true })
    const opening = openOutbox({ disk: levelDisk, dir })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_MISSING', name: 'OperatorError' })
    await expect(opening).rejects.toThrow(/restore it, or delete the data folder/)
    expect(await readdir(dir)).not.toContain('db')
  })

  it('is not taken for empty when the index of its store is gone', async () => {
    const dir = await made()
    await rm(join(dir, 'db', 'CURRENT'))
    const opening = openOutbox({ disk: levelDisk, dir })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_DAMAGED', name: 'OperatorError' })
    await expect(opening).rejects.toThrow('tidegate outbox repair')
    await levelDisk.repairStore(join(dir, 'db'))
    const box = await opened({ disk: levelDisk, dir })
    expect(await readSeqs(box.outbox.lane('readings'), 0)).toEqual(range(1, 5))
    expect(await box.put(reading(5))).toBe(false)
  })

  it('is not taken for empty when its store is', async () => {
    const dir = await made()
    await rm(join(dir, 'db'), { recursive: true })
    await (await levelDisk.openStore(join(dir, 'db'), { create: true, compression: true })).close()
    await expect(openOutbox({ disk: levelDisk, dir })).rejects.toMatchObject({ code: 'OUTBOX_EMPTIED' })
  })

  it.each([[{ site: 'other', gateway: 'gw' }], [{ site: 'site', gateway: 'other' }]])(
    'is not opened by %j',
    async (owner) => {
      const dir = await made()
      const opening = openOutbox({ disk: levelDisk, dir, owner })
      await expect(opening).rejects.toMatchObject({ code: 'OUTBOX_OF_ANOTHER', name: 'OperatorError' })
      await expect(opening).rejects.toThrow(`belongs to gateway 'gw' of site 'site', not to '${owner.gateway}'`)
      // The refusal let go of it.
      await opened({ disk: levelDisk, dir })
    },
  )

  it('is not opened by a version that does not know its format', async () => {
    const disk = new MemoryDisk()
    const box = await openOutbox({ disk, dir: '/data' })
    await box.outbox.close()
    await disk.writeFile('/data/outbox.json', '{"format":2,"site":"site","gateway":"gw","epoch":"e"}')
    disk.lose('/data/db', IDENTITY)
    await box.outbox.close()
    const store = await disk.openStore('/data/db', { create: false, compression: true })
    await store.write([{ type: 'put', key: Buffer.from('m-something'), value: Buffer.alloc(1) }], { sync: true })
    await store.close()
    await expect(openOutbox({ disk, dir: '/data' })).rejects.toMatchObject({ code: 'OUTBOX_FORMAT' })
  })

  it('gets a random epoch, and keeps it when the note of it in the store is damaged', async () => {
    const disk = new MemoryDisk()
    const epochs = new Set<string>()
    for (const dir of ['/a', '/b']) {
      const box = await openOutbox({ disk, dir })
      epochs.add(box.outbox.status().epoch)
      await fill(box, 1, 3)
      await box.outbox.close()
      disk.damage(`${dir}/db`, IDENTITY, 30)
      const again = await opened({ disk, dir })
      epochs.add(again.outbox.status().epoch)
      expect(await readSeqs(again.outbox.lane('readings'), 0)).toEqual([1, 2, 3])
    }
    expect(epochs.size).toBe(2)
  })

  it('is not opened under a new epoch when neither store nor marker file know the old one', async () => {
    const disk = new MemoryDisk()
    const box = await openOutbox({ disk, dir: '/data' })
    await fill(box, 1, 3)
    await box.outbox.close()
    disk.damage('/data/db', IDENTITY, 30)
    await disk.writeFile('/data/outbox.json', '{"format":')
    const opening = openOutbox({ disk, dir: '/data' })
    await expect(opening).rejects.toMatchObject({ code: 'OUTBOX_IDENTITY_LOST', name: 'OperatorError' })
  })

  it('gets its marker file back, with the epoch that a fork made', async () => {
    const disk = new MemoryDisk()
    const box = await openOutbox({ disk, dir: '/data' })
    await box.outbox.lane('readings').startEpoch()
    const { epoch } = box.outbox.status()
    expect(box.said).toEqual(['epoch'])
    expect(JSON.parse((await disk.readFile('/data/outbox.json')) ?? '')).toMatchObject({ epoch })
    await box.outbox.close()
    await disk.writeFile('/data/outbox.json', '')
    const again = await opened({ disk, dir: '/data' })
    expect(again.outbox.status().epoch).toBe(epoch)
    expect(JSON.parse((await disk.readFile('/data/outbox.json')) ?? '')).toMatchObject({ site: 'site', epoch })
  })
})
