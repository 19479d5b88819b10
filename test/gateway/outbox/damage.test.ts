import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { soundBlock } from '../../../gateway/outbox/block.ts'
import { cursorKey, headKey, namedKey, namedRange, offsetKey, offsetRange } from '../../../gateway/outbox/keys.ts'
import { type Disk, type KeyValueStore, levelDisk, MemoryDisk } from '../../../gateway/ports/index.ts'
import type { Lane } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { openOutbox, type TestOutbox } from '../../support/outbox.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { untilWith } from '../../support/until.ts'
import { acknowledge, expectAccounted, fill, range, readLane, readSeqs } from './support/lane.ts'

async function opened(options: Parameters<typeof openOutbox>[0]): Promise<TestOutbox> {
  const box = await openOutbox(options)
  onTestFinished(() => box.outbox.close())
  return box
}

const withStore = async (disk: Disk, work: (store: KeyValueStore) => Promise<void>, dir = '/data'): Promise<void> => {
  const store = await disk.openStore(join(dir, 'db'), { create: false, compression: true })
  await work(store).finally(() => store.close())
}

const block = (first: number, lane: Lane = 'readings'): Buffer => offsetKey('b', lane, first)

/** An outbox with readings 1 to 100 in blocks of ten, closed. */
async function made(disk: Disk, dir = '/data'): Promise<void> {
  const box = await openOutbox({ disk, dir })
  await fill(box, 1, 100, 10)
  await box.outbox.close()
}

describe('a damaged block in the middle', () => {
  it('is set aside as it was, declared once, and the rest goes on', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', block(30), 100)
    const box = await opened({ disk, dir: '/data' })
    const source = box.outbox.lane('readings')
    for (const _ of [1, 2]) {
      const { lines, gaps } = await readLane(source)
      expect([...lines.keys()]).toEqual([...range(0, 29), ...range(40, 99)])
      expect(gaps).toEqual([{ from: 30, to: 39, reason: 'damaged' }])
    }
    expect(box.said).toEqual(['damaged readings 30-39'])
    expect(box.outbox.status().lanes.readings).toMatchObject({ accepted: 100, pending: 90, missing: 10 })
    acknowledge(source)
    expectAccounted(box.outbox.status())
    await box.outbox.close()

    await withStore(disk, async (store) => {
      expect(await store.get(block(30))).toBeUndefined()
      const kept = await store.get(offsetKey('x', 'readings', 30))
      expect(kept && soundBlock(30, kept)).toBeNull()
      expect(kept?.toString('utf8')).toContain('"seq":31')
    })
    const again = await opened({ disk, dir: '/data' })
    expect((await readLane(again.outbox.lane('readings'), 0)).gaps).toEqual([{ from: 30, to: 39, reason: 'damaged' }])
    expect(again.said).toEqual([])
    expect(again.outbox.status().lanes.readings).toMatchObject({ forwarded: 90, pending: 0, missing: 10 })
  })

  it('is found by its header too, and by its key', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', block(30), 20)
    await withStore(disk, async (store) => {
      // The block of 60 turns up under another key, as after a flipped bit in a key.
      const value = (await store.get(block(60))) ?? Buffer.alloc(0)
      await store.write(
        [
          { type: 'del', key: block(60) },
          { type: 'put', key: block(62), value },
        ],
        { sync: true },
      )
    })
    const box = await opened({ disk, dir: '/data' })
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    expect([...lines.keys()]).toEqual([...range(0, 29), ...range(40, 59), ...range(70, 99)])
    expect(gaps).toEqual([
      { from: 30, to: 39, reason: 'damaged' },
      { from: 60, to: 69, reason: 'damaged' },
    ])
    expectAccounted(box.outbox.status())
  })

  it('that is not there at all is declared as well', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    for (const first of [0, 40, 50]) disk.lose('/data/db', block(first))
    const box = await opened({ disk, dir: '/data' })
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    expect([...lines.keys()]).toEqual([...range(10, 39), ...range(60, 99)])
    expect(gaps).toEqual([
      { from: 0, to: 9, reason: 'damaged' },
      { from: 40, to: 59, reason: 'damaged' },
    ])
    expect(box.said).toEqual(['damaged readings 0-9', 'damaged readings 40-59'])
    expectAccounted(box.outbox.status())
  })

  it('whose records the centre has already is not counted as missing', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', block(30), 100)
    const box = await opened({ disk, dir: '/data' })
    const source = box.outbox.lane('readings')
    acknowledge(source, 60)
    expect(await source.lineageAt(35)).toBeNull()
    expect(box.outbox.status().lanes.readings).toMatchObject({ forwarded: 60, pending: 40, missing: 0 })
    // Until it would have to be sent again.
    source.moveCursor({ next: 20, sequence: 20, streamCreated: 'then' })
    expect((await readLane(source)).gaps).toEqual([{ from: 30, to: 39, reason: 'damaged' }])
    expect(box.outbox.status().lanes.readings).toMatchObject({ forwarded: 20, pending: 70, missing: 10 })
  })

  it('in a lane that nobody reads does not disturb the others', async () => {
    const disk = new MemoryDisk()
    const first = await openOutbox({ disk, dir: '/data' })
    await fill(first, 1, 20, 10)
    first.outbox.append('events', '{"n":1}')
    first.outbox.append('events', '{"n":2}')
    await first.outbox.close()
    disk.damage('/data/db', block(0, 'events'), 50)
    const box = await opened({ disk, dir: '/data' })
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(range(1, 20))
    expect((await readLane(box.outbox.lane('events'))).gaps).toEqual([{ from: 0, to: 1, reason: 'damaged' }])
  })
})

describe('the last block', () => {
  it('is set aside when it is damaged, and its offsets are not given to others', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', block(90), 60)
    const box = await opened({ disk, dir: '/data' })
    expect(box.said).toEqual(['damaged readings 90-99'])
    await fill(box, 101, 105)
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    expect([...lines.keys()]).toEqual([...range(0, 89), ...range(100, 104)])
    expect(gaps).toEqual([{ from: 90, to: 99, reason: 'damaged' }])
    expectAccounted(box.outbox.status())
    await box.outbox.close()
    const again = await opened({ disk, dir: '/data' })
    expect(again.said).toEqual([])
    expect((await readLane(again.outbox.lane('readings'))).gaps).toEqual(gaps)
  })

  it('is missed when it is gone without a trace', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.lose('/data/db', block(90))
    disk.lose('/data/db', block(80))
    const box = await opened({ disk, dir: '/data' })
    expect(box.said).toEqual(['damaged readings 80-99'])
    expect(box.outbox.lane('readings').head).toBe(100)
    await fill(box, 101, 101)
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual([...range(1, 80), 101])
    expectAccounted(box.outbox.status())
  })

  it('and those before it are declared as one hole when all are damaged', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    for (const first of [70, 80, 90]) disk.damage('/data/db', block(first), 10)
    const box = await opened({ disk, dir: '/data' })
    expect(box.said).toEqual(['damaged readings 70-99'])
    expect((await readLane(box.outbox.lane('readings'))).gaps).toEqual([{ from: 70, to: 99, reason: 'damaged' }])
    expect(box.outbox.status().lanes.readings).toMatchObject({ accepted: 100, pending: 70, missing: 30 })
  })

  it('leaves out as many offsets as it can have had when nothing says how many', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', block(90), 10)
    disk.damage('/data/db', headKey('readings'), 6)
    const box = await opened({ disk, dir: '/data' })
    expect(box.outbox.lane('readings').head).toBe(90 + 65_536)
    expectAccounted(box.outbox.status())
  })

  it('is believed when the note of the head is damaged', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.damage('/data/db', headKey('readings'), 6)
    const box = await opened({ disk, dir: '/data' })
    expect(box.outbox.lane('readings').head).toBe(100)
    expect(box.said).toEqual([])
  })

  it('whose records the centre has is not counted as missing', async () => {
    const disk = new MemoryDisk()
    const first = await openOutbox({ disk, dir: '/data' })
    await fill(first, 1, 100, 10)
    acknowledge(first.outbox.lane('readings'))
    await first.outbox.close()
    disk.damage('/data/db', block(90), 60)
    const box = await opened({ disk, dir: '/data' })
    expect(box.said).toEqual([])
    expect(box.outbox.status().lanes.readings).toMatchObject({ accepted: 100, forwarded: 100, pending: 0, missing: 0 })
  })
})

describe('a damaged note', () => {
  it('of the cursor leaves it to the centre to say how far it is', async () => {
    const disk = new MemoryDisk()
    const first = await openOutbox({ disk, dir: '/data' })
    await fill(first, 1, 100, 10)
    acknowledge(first.outbox.lane('readings'), 50)
    await first.outbox.close()
    disk.damage('/data/db', cursorKey('readings'), 12)
    const box = await opened({ disk, dir: '/data' })
    expect(box.outbox.lane('readings').cursor).toEqual({ next: 0, sequence: 0, streamCreated: null })
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(range(1, 100))
  })

  it('of a gap turns it into damage that is found again', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    disk.lose('/data/db', block(30))
    const first = await openOutbox({ disk, dir: '/data' })
    await readLane(first.outbox.lane('readings'))
    await first.outbox.close()
    disk.damage('/data/db', offsetKey('g', 'readings', 30), 12)
    const box = await opened({ disk, dir: '/data' })
    expect((await readLane(box.outbox.lane('readings'))).gaps).toEqual([{ from: 30, to: 39, reason: 'damaged' }])
  })

  it('of a series costs the memory of its repeats, not the start of the gateway', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    await withStore(disk, async (store) => {
      for await (const key of store.keys(namedRange('s'))) disk.damage('/data/db', key, 40)
    })
    const box = await opened({ disk, dir: '/data' })
    expect(box.machine.seriesCount).toBe(0)
    await fill(box, 101, 102)
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(range(1, 102))
  })

  it('of the replay position makes the start replay all that is there', async () => {
    const disk = new MemoryDisk()
    const first = await openOutbox({ disk, dir: '/data' })
    await fill(first, 1, 100, 10)
    disk.powerCut()
    await first.outbox.close().catch(() => undefined)
    await withStore(disk, async (store) => {
      await store.write([{ type: 'put', key: namedKey('m', 'replay'), value: Buffer.from('nonsense') }], { sync: true })
    })
    const box = await opened({ disk, dir: '/data' })
    expect(box.machine.seriesCount).toBe(1)
  })

  it('of all segments leaves blocks that still count and can be given up', async () => {
    const disk = new MemoryDisk()
    await made(disk)
    const bytes = await sizeOf(disk)
    await withStore(disk, async (store) => {
      for await (const key of store.keys(offsetRange('p', 'readings', 0))) disk.damage('/data/db', key, 8)
    })
    const box = await opened({ disk, dir: '/data' })
    expect(box.outbox.status().storedBytes).toBe(bytes)
  })
})

async function sizeOf(disk: Disk): Promise<number> {
  const box = await openOutbox({ disk, dir: '/data' })
  const { storedBytes } = box.outbox.status()
  await box.outbox.close()
  return storedBytes
}

describe('a failure of the disk that passes', () => {
  it('is not taken for damage while reading', async () => {
    const disk = new FaultyDisk(new MemoryDisk())
    await made(disk)
    const box = await opened({ disk, dir: '/data' })
    const source = box.outbox.lane('readings')
    for (const first of [0, 30, 90]) {
      disk.unreadable.add(block(first).toString('hex'))
      await expect(readLane(source)).rejects.toThrow()
      disk.unreadable.clear()
    }
    expect(await readSeqs(source)).toEqual(range(1, 100))
    expect(box.said).toEqual([])
    expect(box.outbox.status().lanes.readings.missing).toBe(0)
  })

  it('does not make a damaged header swallow the blocks behind it', async () => {
    const memory = new MemoryDisk()
    const disk = new FaultyDisk(memory)
    await made(disk)
    memory.damage('/data/db', block(30), 10)
    const box = await opened({ disk, dir: '/data' })
    disk.unreadable.add(block(40).toString('hex'))
    await expect(readLane(box.outbox.lane('readings'))).rejects.toThrow()
    disk.unreadable.clear()
    expect((await readLane(box.outbox.lane('readings'))).gaps).toEqual([{ from: 30, to: 39, reason: 'damaged' }])
  })

  it('does not move the end of a lane back', async () => {
    const disk = new FaultyDisk(new MemoryDisk())
    await made(disk)
    disk.unreadable.add(block(90).toString('hex'))
    await expect(openOutbox({ disk, dir: '/data' })).rejects.toThrow()
    disk.unreadable.clear()
    const box = await opened({ disk, dir: '/data' })
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(range(1, 100))
    expect(box.said).toEqual([])
  })
})

describe('a real table with a bad sector', () => {
  /** Readings in real tables, one of which is overwritten in its middle. */
  async function spoiled(): Promise<string> {
    const dir = await tempDir()
    const box = await openOutbox({ disk: levelDisk, dir })
    await fill(box, 1, 6000, 200)
    await box.outbox.close()
    const path = join(dir, 'db')
    await withStore(levelDisk, (store) => store.compact({ gte: Buffer.from([0]), lt: Buffer.from([0xff]) }), dir)
    const tables = (await readdir(path)).filter((name) => name.endsWith('.ldb')).map((name) => join(path, name))
    const sizes = await Promise.all(tables.map(async (table) => ({ table, bytes: await readFile(table) })))
    const largest = sizes.sort((a, b) => b.bytes.length - a.bytes.length)[0]
    if (!largest) throw new Error('no table')
    largest.bytes.fill(0xff, largest.bytes.length >> 1, (largest.bytes.length >> 1) + 2000)
    await writeFile(largest.table, largest.bytes)
    return dir
  }

  it('costs the blocks in it, and nothing else', async () => {
    const box = await opened({ disk: levelDisk, dir: await spoiled() })
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    expect(gaps.length).toBe(1)
    expect(gaps[0]?.reason).toBe('damaged')
    expect(lines.size).toBeGreaterThan(5000)
    expect(lines.size).toBeLessThan(6000)
    expect(box.said.length).toBe(1)
    expectAccounted(box.outbox.status())
    acknowledge(box.outbox.lane('readings'))
    await fill(box, 6001, 6010)
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(range(6001, 6010))
  })

  it('that stops LevelDB from writing is repaired, and the outbox goes on', async () => {
    const clock = new SimulatedClock()
    const disk = new FaultyDisk(levelDisk)
    const dir = await spoiled()
    // The cache of a running gateway may hold the block; a compaction reads it from disk all the same.
    const box = await opened({ disk, dir, clock })
    const store = disk.newest
    const value = await store?.get(block(0))
    if (!store || !value) throw new Error('nothing is open')
    await store.write([{ type: 'put', key: block(0), value }], { sync: true })
    await store.compact({ gte: Buffer.from([0]), lt: Buffer.from([0xff]) })
    await expect(box.put({ device: 'd2', metric: 'm', value: 1, received: 1 })).rejects.toMatchObject({
      code: 'OUTBOX_WRITE_FAILED',
    })
    await clock.advance(2000)
    await untilWith(
      clock,
      () => box.said.includes('recovered'),
      () => box.said,
    )
    expect(disk.counts.repaired).toBe(1)
    expect(box.said).toContain('repaired')
    expect(await box.put({ device: 'd2', metric: 'm', value: 1, received: 1 })).toBe(true)
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    expect(gaps.length).toBe(1)
    expect(lines.size).toBeGreaterThan(5000)
    expectAccounted(box.outbox.status())
  })
})
