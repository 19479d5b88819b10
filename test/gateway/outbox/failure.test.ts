import { describe, expect, it, onTestFinished } from 'vitest'
import { offsetKey } from '../../../gateway/outbox/keys.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { OperatorError } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'
import { untilWith } from '../../support/until.ts'
import { acknowledge, append, expectAccounted, fill, range, readLane, readSeqs } from './support/lane.ts'

interface World extends TestOutbox {
  disk: FaultyDisk
  memory: MemoryDisk
  clock: SimulatedClock
  recover(): Promise<void>
}

async function world(settings: Parameters<typeof openOutbox>[0]['settings'] = {}): Promise<World> {
  const memory = new MemoryDisk()
  const disk = new FaultyDisk(memory)
  const clock = new SimulatedClock()
  const box = await openOutbox({ disk, dir: '/data', clock, settings })
  onTestFinished(() => box.outbox.close().catch(() => undefined))
  const recover = async (): Promise<void> => {
    const times = box.said.filter((text) => text === 'recovered').length
    await untilWith(
      clock,
      () => box.said.filter((text) => text === 'recovered').length > times,
      () => box.said,
    )
  }
  return { ...box, disk, memory, clock, recover }
}

const turns = async (count = 6): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a write that fails', () => {
  it('is not acknowledged, forgets what was not stored, and the outbox is there again', async () => {
    const { outbox, machine, put, disk, said, recover } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO: i/o error, write')
    const lost = Promise.allSettled([put(reading(2)), put(reading(3)), put(reading(2), true)])
    expect((await lost).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(outbox.accepting).toBe(false)
    expect(outbox.status().state).toBe('failed')
    await expect(put(reading(4))).rejects.toMatchObject({ name: 'StopAcceptingError', code: 'OUTBOX_FAILED' })
    expect(() => outbox.append('readings', '{}')).toThrow('cannot write right now')
    await recover()
    expect(outbox.status().state).toBe('open')
    expect(machine.isRepeat(reading(2), true)).toBe(false)
    // What nobody acknowledged is new when it is said again, and gets the offset that was never given away.
    expect(await put(reading(2), true)).toBe(true)
    expect(await put(reading(1), true)).toBe(false)
    expect(await readSeqs(outbox.lane('readings'))).toEqual([1, 2])
    expect(said).toEqual(['failed EIO: i/o error, write', 'recovered'])
  })

  it('but reached the disk all the same, stores nothing twice', async () => {
    const { outbox, put, disk, recover } = await world()
    disk.failAfterWrite = new Error('EIO: i/o error, fdatasync')
    await expect(put(reading(1))).rejects.toMatchObject({ code: 'OUTBOX_WRITE_FAILED' })
    await recover()
    expect(await put(reading(1), true)).toBe(false)
    expect(await put(reading(2))).toBe(true)
    expect(await readSeqs(outbox.lane('readings'))).toEqual([1, 2])
  })

  it('refuses in order what was appended behind it', async () => {
    const { outbox, put, disk, recover } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO')
    let letGo = (): void => {}
    disk.gate = new Promise((resolve) => {
      letGo = resolve
    })
    const order: number[] = []
    for (let n = 0; n < 5; n++) {
      outbox.append('readings', '{}')
      outbox.whenDurable((error) => order.push(error ? -n - 1 : n + 1))
      if (n % 2 === 1) await turns(1)
    }
    outbox.whenDurable((error) => order.push(error ? -6 : 6))
    disk.gate = null
    letGo()
    await recover()
    expect(order).toEqual([-1, -2, -3, -4, -5, -6])
    expect(outbox.lane('readings').head).toBe(1)
  })

  it('does not make the outbox forget how far the centre is', async () => {
    const { outbox, put, disk, recover } = await world()
    for (const seq of range(1, 10)) await put(reading(seq))
    acknowledge(outbox.lane('readings'), 7)
    disk.failWrite = new Error('EIO')
    await expect(put(reading(11))).rejects.toThrow()
    await recover()
    expect(outbox.lane('readings').cursor.next).toBe(7)
    expect(outbox.status().lanes.readings).toMatchObject({ forwarded: 7, pending: 3 })
    await outbox.close()
    const again = await openOutbox({ disk, dir: '/data' })
    expect(again.outbox.lane('readings').cursor.next).toBe(7)
    await again.outbox.close()
  })

  it('does not make it forget how far the centre is with what is kept for a peer either', async () => {
    const { outbox, put, disk, recover } = await world()
    const replica = await outbox.replica('gw-b/00000000000000bb')
    replica.fill('readings', { from: 0, to: 2, gaps: [], lines: ['a', 'b', 'c'] }, 1)
    await put(reading(1))
    const lane = replica.lane('readings')
    lane.moveCursor({ next: 3, sequence: 9, streamCreated: 'then' })
    disk.failWrite = new Error('EIO: i/o error, write')
    await expect(put(reading(2))).rejects.toMatchObject({ code: 'OUTBOX_WRITE_FAILED' })
    await recover()
    expect(lane.cursor).toEqual({ next: 3, sequence: 9, streamCreated: 'then' })
  })

  it('does not keep those waiting who ask how things are', async () => {
    const { outbox, put, disk, recover } = await world()
    await put(reading(1))
    const before = await outbox.lane('readings').oldestPending()
    disk.failWrite = new Error('EIO')
    disk.failOpen = new Error('EIO')
    await expect(put(reading(2))).rejects.toThrow()
    expect(await outbox.lane('readings').oldestPending()).toBe(before)
    expect(outbox.status().lanes.readings.pending).toBe(1)
    disk.failOpen = null
    await recover()
  })

  it('lets a reader wait until the store is open again', async () => {
    const { outbox, put, disk, recover } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO')
    await expect(put(reading(2))).rejects.toThrow()
    const reading1 = readSeqs(outbox.lane('readings'))
    await recover()
    expect(await reading1).toEqual([1])
  })

  it('is tried again until it works, whatever fails on the way', async () => {
    const { outbox, put, disk, said, clock, recover } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO 1')
    disk.failOpen = new Error('EIO 2')
    await expect(put(reading(2))).rejects.toThrow()
    await clock.advance(2000)
    disk.failOpen = null
    disk.failFree = new Error('EIO 3')
    await clock.advance(2000)
    disk.failFree = null
    await recover()
    expect(new Set(said)).toEqual(new Set(['failed EIO 1', 'failed EIO 2', 'failed EIO 3', 'recovered']))
    expect(await put(reading(2))).toBe(true)
    expect(outbox.accepting).toBe(true)
  })

  it('because the store is damaged has it repaired', async () => {
    const { put, disk, said, recover } = await world()
    await put(reading(1))
    disk.failWrite = new OperatorError('STORE_DAMAGED', 'a table is damaged')
    await expect(put(reading(2))).rejects.toThrow()
    await recover()
    expect(disk.counts.repaired).toBe(1)
    expect(said).toEqual(['failed a table is damaged', 'repaired', 'recovered'])
    expect(await put(reading(2), true)).toBe(true)
  })

  it('again and again leaves one outbox and one round of upkeep', async () => {
    const { outbox, put, disk, clock, recover } = await world()
    for (const seq of range(1, 5)) {
      disk.failWrite = new Error('EIO')
      await expect(put(reading(seq))).rejects.toThrow()
      await recover()
      await put(reading(seq))
    }
    const before = disk.counts.writes
    for (let second = 0; second < 20; second++) {
      acknowledge(outbox.lane('readings'), 1 + (second % 5))
      await clock.advance(1000)
    }
    // The cursor is written once a second, not once for each outbox that ever was.
    expect(disk.counts.writes - before).toBeLessThanOrEqual(21)
    expect(await readSeqs(outbox.lane('readings'), 0)).toEqual(range(1, 5))
  })
})

describe('upkeep that fails', () => {
  it('ends in a new opening, and what was under way is answered as it turned out', async () => {
    const { outbox, put, disk, clock, said, recover } = await world()
    await put(reading(1))
    let letGo = (): void => {}
    disk.gate = new Promise((resolve) => {
      letGo = resolve
    })
    const underWay = put(reading(2))
    await turns()
    const behind = put(reading(3))
    disk.failFree = new Error('statfs: EIO')
    await clock.advance(1000)
    expect(said).toEqual(['failed statfs: EIO'])
    disk.failFree = null
    disk.gate = null
    letGo()
    await underWay
    await expect(behind).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' })
    await recover()
    expect(await put(reading(2), true)).toBe(false)
    expect(await put(reading(3), true)).toBe(true)
    expect(await readSeqs(outbox.lane('readings'))).toEqual([1, 2, 3])
  })

  it('for want of the reserve does not matter', async () => {
    const memory = new MemoryDisk()
    const disk = new FaultyDisk(memory)
    disk.failReserve = new Error('EDQUOT')
    const clock = new SimulatedClock()
    const box = await openOutbox({ disk, dir: '/data', clock, settings: { reserve: 1000 } })
    expect(await box.put(reading(1))).toBe(true)
    await clock.advance(5000)
    expect(box.said).toEqual([])
    expect(box.outbox.accepting).toBe(true)
    await box.outbox.close()
  })
})

describe('an opening that fails', () => {
  it('lets go of the store, so that the next one works', async () => {
    const memory = new MemoryDisk()
    const disk = new FaultyDisk(memory)
    const first = await openOutbox({ disk, dir: '/data' })
    await fill(first, 1, 20, 10)
    await first.outbox.close()
    memory.damage('/data/db', offsetKey('b', 'readings', 10), 60)
    // Mending the end of the lane fails, then the look at the free space.
    disk.failWrite = new Error('EIO')
    await expect(openOutbox({ disk, dir: '/data' })).rejects.toThrow('EIO')
    disk.failFree = new Error('EIO statfs')
    await expect(openOutbox({ disk, dir: '/data' })).rejects.toThrow('EIO statfs')
    disk.failFree = null
    const again = await openOutbox({ disk, dir: '/data' })
    expect((await readLane(again.outbox.lane('readings'))).gaps).toEqual([{ from: 10, to: 19, reason: 'damaged' }])
    await again.outbox.close()
  })
})

describe('closing', () => {
  it('makes durable what was appended, and refuses what comes after', async () => {
    const { outbox, put, disk } = await world()
    const before = range(1, 50).map((seq) => put(reading(seq)))
    const closing = outbox.close()
    await expect(put(reading(51))).rejects.toMatchObject({ name: 'StopAcceptingError', code: 'OUTBOX_CLOSED' })
    expect(() => outbox.append('readings', '{}')).toThrow('closed')
    await closing
    await Promise.all(before)
    await outbox.close()
    expect(outbox.status().state).toBe('closed')
    await expect(outbox.lane('readings').read(0, 100)).rejects.toMatchObject({ code: 'OUTBOX_CLOSED' })
    const late = new Promise((resolve) => outbox.whenDurable(resolve))
    expect(await late).toMatchObject({ code: 'OUTBOX_CLOSED' })
    const again = await openOutbox({ disk, dir: '/data' })
    expect(await readSeqs(again.outbox.lane('readings'))).toEqual(range(1, 50))
    await again.outbox.close()
  })

  it('under load acknowledges only what the next opening has', async () => {
    const { outbox, put, disk } = await world()
    const acknowledged: number[] = []
    let seq = 0
    let going = true
    const load = (async () => {
      while (going) {
        for (let n = 0; n < 20; n++) {
          const one = ++seq
          put(reading(one)).then(
            () => acknowledged.push(one),
            () => undefined,
          )
        }
        await turns(1)
      }
    })()
    await turns(20)
    await outbox.close()
    going = false
    await load
    await turns()
    const again = await openOutbox({ disk, dir: '/data' })
    const kept = new Set(await readSeqs(again.outbox.lane('readings')))
    expect(acknowledged.length).toBeGreaterThan(20)
    expect(acknowledged.filter((one) => !kept.has(one))).toEqual([])
    for (const one of kept) expect(await again.put(reading(one), true)).toBe(false)
    await again.outbox.close()
  })

  it('while failed does not wait for the disk, and frees the store', async () => {
    const { outbox, put, disk, clock } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO')
    disk.failOpen = new Error('EIO')
    await expect(put(reading(2))).rejects.toThrow()
    await clock.advance(1200)
    await outbox.close()
    disk.failOpen = null
    const again = await openOutbox({ disk, dir: '/data' })
    expect(await readSeqs(again.outbox.lane('readings'))).toEqual([1])
    await again.outbox.close()
  })

  it('says so when its last write fails, and frees the store all the same', async () => {
    const { outbox, put, disk, said } = await world()
    await put(reading(1))
    disk.failWrite = new Error('EIO')
    await expect(outbox.close()).rejects.toMatchObject({ code: 'OUTBOX_WRITE_FAILED' })
    expect(said).toEqual(['failed EIO'])
    expect(outbox.status().state).toBe('closed')
    const again = await openOutbox({ disk, dir: '/data' })
    expect(await readSeqs(again.outbox.lane('readings'))).toEqual([1])
    await again.outbox.close()
  })

  it('stores the state machine whole, so that nothing is replayed', async () => {
    const { outbox, put, disk } = await world()
    for (const seq of range(1, 200)) await put(reading(seq, { device: `d${seq % 50}` }))
    await outbox.close()
    disk.counts.entriesRead = 0
    const again = await openOutbox({ disk, dir: '/data' })
    expect(again.machine.seriesCount).toBe(50)
    // 50 slices, the last block and the segment; not the 200 blocks.
    expect(disk.counts.entriesRead).toBeLessThan(60)
    await again.outbox.close()
  })
})

describe('what others store with a commit', () => {
  it('is there with the records that it was attached to, and not there without', async () => {
    const { outbox, disk, recover, memory } = await world()
    outbox.attach('first', Buffer.from('1'))
    await append(outbox, 'readings', '{"n":1}')
    disk.failWrite = new Error('EIO')
    outbox.attach('second', Buffer.from('2'))
    await expect(append(outbox, 'readings', '{"n":2}')).rejects.toThrow()
    await recover()
    outbox.attach('first', null)
    outbox.attach('third', Buffer.from('3'))
    await append(outbox, 'readings', '{"n":3}')
    memory.powerCut()
    const store = await disk.openStore('/data/db', { create: false, compression: true })
    const names: string[] = []
    for await (const key of store.keys({ gte: Buffer.from('q'), lt: Buffer.from('r') })) names.push(key.toString())
    await store.close()
    expect(names).toEqual(['qthird'])
  })
})

describe('all numbers', () => {
  it('add up at every moment', async () => {
    const { outbox, put, disk, recover } = await world()
    for (let n = 1; n <= 60; n++) {
      if (n % 20 === 0) {
        disk.failWrite = new Error('EIO')
        await put(reading(n)).catch(() => undefined)
        expectAccounted(outbox.status())
        await recover()
      }
      const under = put(reading(n))
      expectAccounted(outbox.status())
      await under
      if (n % 7 === 0) acknowledge(outbox.lane('readings'), n - 3)
      expectAccounted(outbox.status())
    }
  })
})
