import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { OutboxSettings } from '../../../gateway/outbox/index.ts'
import { type Disk, MemoryDisk } from '../../../gateway/ports/index.ts'
import type { Reading } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'
import { smallDisk } from '../../support/small-disk.ts'
import { untilWith } from '../../support/until.ts'
import { acknowledge, expectAccounted, range, readSeqs } from './support/lane.ts'

const MIB = 1024 * 1024

/** About 10 kB that do not shrink. */
const large = (seq: number): Reading => reading(seq, { labels: { noise: randomBytes(7500).toString('base64') } })

interface World extends TestOutbox {
  clock: SimulatedClock
}

async function opened(disk: Disk, dir: string, settings: Partial<OutboxSettings>): Promise<World> {
  const clock = new SimulatedClock()
  const box = await openOutbox({ disk, dir, clock, settings: { compression: false, ...settings } })
  onTestFinished(() => box.outbox.close().catch(() => undefined))
  return { ...box, clock }
}

/** Sends readings, 20 at a time, until the outbox takes none; returns those that were acknowledged. */
async function fillUp(box: World, from: number, tick: boolean): Promise<number[]> {
  const acknowledged: number[] = []
  for (let seq = from; box.outbox.accepting; seq += 20) {
    const results = await Promise.allSettled(range(seq, seq + 19).map((one) => box.put(large(one))))
    for (const [i, { status }] of results.entries()) if (status === 'fulfilled') acknowledged.push(seq + i)
    if (tick) await box.clock.advance(1000)
  }
  return acknowledged
}

/** The centre takes everything, in steps, while the outbox tidies up. */
async function forwardAll(box: World): Promise<void> {
  const source = box.outbox.lane('readings')
  await untilWith(
    box.clock,
    () => {
      acknowledge(source, Math.min(source.head, source.cursor.next + 200))
      return source.cursor.next === source.head && box.outbox.accepting
    },
    () => [box.outbox.status(), box.said.slice(-5)],
  )
}

describe('a full disk', () => {
  it('is noticed before it is full: nothing more is acknowledged, what is there is forwarded, and it goes on', async () => {
    const { disk, dir, kind } = await smallDisk(72)
    expect(['tmpfs', 'memory']).toContain(kind)
    // A compaction of LevelDB writes a copy of what it compacts before it removes the original, and an original that somebody
    // reads stays until the next one: room for two copies of the 16 MB that are stored.
    const settings = { minFree: 48 * MIB, reserve: 8 * MIB, retainAcked: { bytes: 100 * MIB, age: 1e9 } }
    const box = await opened(disk, dir, settings)
    const acknowledged = await fillUp(box, 1, true)
    expect(acknowledged.length).toBeGreaterThan(500)
    expect(box.outbox.status()).toMatchObject({ state: 'full', full: 'disk' })
    await expect(box.put(large(1_000_000))).rejects.toMatchObject({ name: 'StopAcceptingError', code: 'DISK_FULL' })
    // A compaction of LevelDB that ends just then may give some room back for a moment; no write ever fails.
    expect(box.said.at(-1)).toBe('full disk')
    expect(box.said.filter((text) => !text.startsWith('full'))).toEqual([])
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(acknowledged)

    await forwardAll(box)
    expect(box.said.at(-1)).toBe('full null')
    expect(box.said.filter((text) => text.startsWith('failed'))).toEqual([])
    const more = await fillUp(box, 2_000_000, true)
    expect(more.length).toBeGreaterThan(100)
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual(more)
    expectAccounted(box.outbox.status())
  })

  it('met by a write loses nothing that was acknowledged: the reserve makes room to open again and to forward', async () => {
    const { disk, dir } = await smallDisk(24)
    // Free space is looked at once a second, and here time stands still: the disk really fills up.
    const box = await opened(disk, dir, { minFree: 0, reserve: 8 * MIB })
    const acknowledged = await fillUp(box, 1, false)
    expect(acknowledged.length).toBeGreaterThan(300)
    expect(box.outbox.status().state).toBe('failed')
    expect(box.said[0]).toMatch(/No space left|ENOSPC/)

    await untilWith(
      box.clock,
      () => box.said.includes('recovered'),
      () => box.said,
    )
    const kept = await readSeqs(box.outbox.lane('readings'))
    expect(acknowledged.filter((seq) => !kept.includes(seq))).toEqual([])
    for (const seq of kept) expect(box.machine.isRepeat(reading(seq), true)).toBe(true)

    await forwardAll(box)
    expect(await box.put(large(3_000_000))).toBe(true)
    expect(await readSeqs(box.outbox.lane('readings'))).toEqual([3_000_000])
    expectAccounted(box.outbox.status())
  })

  it('does not keep a gateway from starting', async () => {
    const { disk, dir } = await smallDisk(24)
    const settings = { minFree: 0, reserve: 8 * MIB }
    const first = await opened(disk, dir, settings)
    const acknowledged = await fillUp(first, 1, false)
    await first.outbox.close()
    const again = await opened(disk, dir, settings)
    const kept = await readSeqs(again.outbox.lane('readings'))
    expect(acknowledged.filter((seq) => !kept.includes(seq))).toEqual([])
    await forwardAll(again)
    expect(await again.put(large(3_000_000))).toBe(true)
  })
})

describe('the reserve', () => {
  it('is made when there is room, given up when there is none, and made again', async () => {
    const disk = new MemoryDisk()
    disk.capacity = 10 * MIB
    const settings = { minFree: MIB, reserve: 2 * MIB }
    const box = await opened(disk, '/data', settings)
    expect(await disk.sizeOf('/data/reserve')).toBe(2 * MIB)
    await fillUp(box, 1, false)
    await untilWith(box.clock, () => box.said.includes('recovered'))
    // Open for forwarding, but not for more: the reserve is spent.
    expect(await disk.sizeOf('/data/reserve')).toBeNull()
    expect(box.outbox.status()).toMatchObject({ state: 'full', full: 'disk' })
    await forwardAll(box)
    expect(await disk.sizeOf('/data/reserve')).toBe(2 * MIB)
    // A reserve that is there already needs no room at a start.
    await box.outbox.close()
    disk.capacity -= (await disk.freeBytes()) - 5 * MIB
    const again = await opened(disk, '/data', settings)
    expect(again.outbox.accepting).toBe(true)
    expect(await disk.sizeOf('/data/reserve')).toBe(2 * MIB)
  })
})
