import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { levelDisk, MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeLine } from '../../../sync/contract/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { acknowledge, append, expectAccounted, fill, range, readLane, readSeqs } from './support/lane.ts'

async function opened(options: Parameters<typeof openOutbox>[0]): Promise<TestOutbox> {
  const box = await openOutbox(options)
  onTestFinished(() => box.outbox.close())
  return box
}

describe('an outbox on a real disk', () => {
  it('keeps records, numbering, cursor and what was seen over a restart', async () => {
    const dir = await tempDir()
    const first = await opened({ disk: levelDisk, dir })
    await fill(first, 1, 500)
    await append(first.outbox, 'events', '{"n":1}')
    await append(first.outbox, 'deadletters', '{"code":"X"}')
    acknowledge(first.outbox.lane('readings'), 120)
    const { epoch } = first.outbox.status()
    await first.outbox.close()

    const again = await opened({ disk: levelDisk, dir })
    const source = again.outbox.lane('readings')
    expect(again.outbox.status().epoch).toBe(epoch)
    expect(source.cursor).toEqual({ next: 120, sequence: 120, streamCreated: 'then' })
    expect(source.head).toBe(500)
    expect(await readSeqs(source)).toEqual(range(121, 500))
    expect(await readSeqs(source, 0)).toEqual(range(1, 500))
    expect(await again.put(reading(500))).toBe(false)
    expect(await again.put(reading(501))).toBe(true)
    expect(await readSeqs(source, 499)).toEqual([500, 501])
    expect([...(await readLane(again.outbox.lane('events'))).lines]).toEqual([[0, '{"n":1}']])
    expect([...(await readLane(again.outbox.lane('deadletters'))).lines]).toEqual([[0, '{"code":"X"}']])
    expect(again.outbox.status().lanes.readings).toMatchObject({
      accepted: 501,
      forwarded: 120,
      pending: 381,
      missing: 0,
    })
    expectAccounted(again.outbox.status())
    expect(again.said).toEqual([])
  })

  it('has after a kill everything that it had acknowledged, and takes its repeats for what they are', async () => {
    const dir = await tempDir()
    const killed = await opened({ disk: levelDisk, dir })
    await fill(killed, 1, 300, 7)
    // Nothing is closed: this is what kill -9 leaves on disk.
    const copy = join(await tempDir(), 'data')
    await cp(dir, copy, { recursive: true })

    const again = await opened({ disk: levelDisk, dir: copy })
    expect(await readSeqs(again.outbox.lane('readings'), 0)).toEqual(range(1, 300))
    for (const seq of [1, 150, 300]) expect(await again.put(reading(seq), true)).toBe(false)
    expect(await again.put(reading(301))).toBe(true)
    expect(again.outbox.lane('readings').head).toBe(301)
  })

  it('opens with a large backlog by reading only what it must', async () => {
    const dir = await tempDir()
    const disk = new FaultyDisk(levelDisk)
    const first = await opened({ disk, dir })
    const count = 200_000
    for (let seq = 0; seq < count; seq += 4000) {
      for (let i = 0; i < 4000; i++) {
        const one = reading(seq + i, { device: `d${i % 20}` })
        first.machine.apply(one, first.outbox.append('readings', `{"device":"${one.device}","seq":${one.seq}}`))
      }
      await new Promise<void>((resolve, reject) =>
        first.outbox.whenDurable((error) => (error ? reject(error) : resolve())),
      )
    }
    await first.outbox.close()
    Object.assign(disk.counts, { entriesRead: 0, bytesRead: 0, keysRead: 0 })
    const again = await opened({ disk, dir })
    expect(again.outbox.lane('readings').head).toBe(count)
    // The last block, the segments (one a MiB) and the 20 series; never the 9 MB of the backlog.
    expect(disk.counts.entriesRead).toBeLessThan(60)
    expect(disk.counts.bytesRead).toBeLessThan(600_000)
    expect(disk.counts.keysRead).toBeLessThan(5)
    expect(again.outbox.status().lanes.readings.pending).toBe(count)
  })
})

describe('an outbox after a power cut', () => {
  it('has exactly what was acknowledged, and what was on its way may be there or not', async () => {
    const disk = new MemoryDisk()
    for (let turn = 0; turn < 6; turn++) {
      const dir = `/data${turn}`
      const box = await openOutbox({ disk, dir })
      const acknowledged: number[] = []
      for (let seq = 1; seq <= 200; seq++)
        void box.put(reading(seq)).then(
          () => acknowledged.push(seq),
          () => undefined,
        )
      for (let i = 0; i <= turn; i++) await new Promise((resolve) => setImmediate(resolve))
      disk.powerCut()
      const again = await openOutbox({ disk, dir })
      const kept = await readSeqs(again.outbox.lane('readings'), 0)
      expect(kept).toEqual(range(1, kept.length))
      expect(kept.length).toBeGreaterThanOrEqual(acknowledged.length)
      for (let seq = 1; seq <= 200; seq++) expect(await again.put(reading(seq), true)).toBe(seq > kept.length)
      expect(await readSeqs(again.outbox.lane('readings'), 0)).toEqual(range(1, 200))
      await Promise.allSettled([again.outbox.close(), box.outbox.close()])
    }
  })

  it('replays what its snapshot does not hold yet', async () => {
    const disk = new MemoryDisk()
    const box = await openOutbox({ disk, dir: '/data' })
    await fill(box, 1, 400, 10)
    disk.powerCut()
    const again = await openOutbox({ disk, dir: '/data' })
    expect([...again.machine.lastReadings()]).toEqual([decodeLine(JSON.stringify(reading(400)))])
    for (const seq of [1, 200, 400]) expect(again.machine.isRepeat(reading(seq), false)).toBe(true)
    await Promise.allSettled([again.outbox.close(), box.outbox.close()])
  })
})
