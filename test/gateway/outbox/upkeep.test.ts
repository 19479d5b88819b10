import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { OutboxSettings } from '../../../gateway/outbox/index.ts'
import { offsetKey, offsetRange } from '../../../gateway/outbox/keys.ts'
import { type Disk, levelDisk, MemoryDisk } from '../../../gateway/ports/index.ts'
import { encodeLine } from '../../../sync/contract/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { untilWith } from '../../support/until.ts'
import { acknowledge, append, expectAccounted, range, readLane } from './support/lane.ts'

const MIB = 1024 * 1024

interface World extends TestOutbox {
  clock: SimulatedClock
  disk: MemoryDisk
}

async function world(settings: Partial<OutboxSettings>, disk = new MemoryDisk(), clock = new SimulatedClock()) {
  const box = await openOutbox({ disk, dir: '/data', clock, settings })
  onTestFinished(() => box.outbox.close())
  return { ...box, clock, disk } satisfies World
}

/** Lines of about 1 kB, so that a segment holds about a thousand. */
const PADDING = 'x'.repeat(900)

/** Appends `count` large readings in commits of 100, as long as the outbox takes them; returns how many it took. */
async function load({ outbox, machine }: TestOutbox, count: number, from = 0): Promise<number> {
  for (let taken = 0; taken < count; ) {
    if (!outbox.accepting) return taken
    for (let n = 0; n < 100 && taken < count; n++, taken++) {
      const one = reading(from + taken, { labels: { padding: PADDING } })
      machine.apply(one, outbox.append('readings', encodeLine(one)))
    }
    await new Promise<void>((resolve, reject) => outbox.whenDurable((error) => (error ? reject(error) : resolve())))
  }
  return count
}

async function entriesOf(disk: Disk, kind: 'b' | 'g' | 'p'): Promise<number[]> {
  const store = await disk.openStore('/data/db', { create: false, compression: true })
  const found: number[] = []
  for await (const key of store.keys(offsetRange(kind, 'readings', 0))) found.push(key.readUInt32BE(6))
  await store.close()
  return found
}

describe('the acknowledged tail', () => {
  it('is kept up to its bytes, the newest of it, and trimmed beyond', async () => {
    const { outbox, machine, clock, disk, said } = await world({ retainAcked: { bytes: 3 * MIB, age: 1e9 } })
    await load({ outbox, machine, said, put: async () => true }, 8000)
    await clock.advance(1000)
    const source = outbox.lane('readings')
    expect(source.tail).toBe(0)
    acknowledge(source, 7000)
    await clock.advance(3000)
    expect(source.tail).toBeGreaterThan(2500)
    expect(source.tail).toBeLessThan(4500)
    const { lines, gaps } = await readLane(source, source.tail)
    expect([...lines.keys()]).toEqual(range(source.tail, 7999))
    expect(gaps).toEqual([])
    expect(outbox.status().lanes.readings).toMatchObject({ forwarded: 7000, pending: 1000, missing: 0 })
    const { tail } = source
    await outbox.close()
    expect((await entriesOf(disk, 'b'))[0]).toBe(tail)
    expect((await entriesOf(disk, 'p'))[0]).toBe(tail)
    const again = await world({}, disk)
    expect(again.outbox.lane('readings').tail).toBe(tail)
    expect(again.outbox.status().lanes.readings).toMatchObject({ forwarded: 7000, pending: 1000, missing: 0 })
  })

  it('is trimmed by age, whatever its size, and never what is not forwarded', async () => {
    const { outbox, machine, clock, said } = await world({ retainAcked: { bytes: 1e9, age: 60_000 } })
    const box = { outbox, machine, said, put: async () => true }
    await load(box, 3000)
    acknowledge(outbox.lane('readings'), 3000)
    await clock.advance(30_000)
    await load(box, 5000, 3000)
    await clock.advance(31_000)
    expect(outbox.lane('readings').tail).toBeGreaterThan(1500)
    expect(outbox.lane('readings').tail).toBeLessThanOrEqual(3000)
    await clock.advance(3_600_000)
    expect(outbox.lane('readings').tail).toBeLessThanOrEqual(3000)
    expect((await readLane(outbox.lane('readings'))).lines.size).toBe(5000)
  })

  it('is trimmed at a trickle too, although a snapshot is hardly ever due', async () => {
    const { outbox, put, clock } = await world({ retainAcked: { bytes: 0, age: 0 } })
    for (let seq = 0; seq < 3000; seq++) await put(reading(seq, { labels: { padding: PADDING } }))
    acknowledge(outbox.lane('readings'))
    await clock.advance(3000)
    expect(outbox.lane('readings').tail).toBeGreaterThan(1500)
    expect(outbox.status().storedBytes).toBeLessThan(1.5 * MIB)
  })

  it('keeps what is missing in it counted, also where a hole reaches beyond the cut', async () => {
    const disk = new MemoryDisk()
    const first = await world({}, disk)
    await load(first, 4000)
    await first.outbox.close()
    const blocks = await entriesOf(disk, 'b')
    const segments = await entriesOf(disk, 'p')
    const cut = segments[2] ?? 0
    // A hole of 400 records on both sides of a segment's beginning.
    for (const block of blocks)
      if (block >= cut - 200 && block < cut + 200) disk.lose('/data/db', offsetKey('b', 'readings', block))
    const { outbox, clock } = await world({ retainAcked: { bytes: 0, age: 0 } }, disk)
    const source = outbox.lane('readings')
    await readLane(source)
    const { missing } = outbox.status().lanes.readings
    expect(missing).toBe(400)
    acknowledge(source, cut + 100)
    await clock.advance(3000)
    expect(source.tail).toBe(cut)
    expect(outbox.status().lanes.readings).toMatchObject({ accepted: 4000, missing })
    const before = outbox.status().lanes
    await outbox.close()
    const again = await world({}, disk)
    expect(again.outbox.status().lanes).toEqual(before)
    const { gaps } = await readLane(again.outbox.lane('readings'))
    expect(gaps).toEqual([{ from: cut + 100, to: cut + 199, reason: 'damaged' }])
    expect(again.said).toEqual([])
  })

  it('is trimmed in full after a crash in the middle of it', async () => {
    const disk = new FaultyDisk(new MemoryDisk())
    const clock = new SimulatedClock()
    const box = await openOutbox({ disk, dir: '/data', clock, settings: { retainAcked: { bytes: 0, age: 0 } } })
    await load(box, 6000)
    acknowledge(box.outbox.lane('readings'))
    // The cut is durable, none of the deletions is.
    disk.failClear = new Error('power cut')
    await clock.advance(1500)
    expect(box.said[0]).toBe('failed power cut')
    await box.outbox.close()
    disk.failClear = null
    const again = await openOutbox({ disk, dir: '/data', clock, settings: { retainAcked: { bytes: 0, age: 0 } } })
    const { tail } = again.outbox.lane('readings')
    expect(tail).toBeGreaterThan(4000)
    expect(again.outbox.status().storedBytes).toBeLessThan(1.5 * MIB)
    expect(again.outbox.status().lanes.readings).toMatchObject({ forwarded: 6000, pending: 0, missing: 0 })
    await load(again, 3000, 6000)
    acknowledge(again.outbox.lane('readings'))
    await clock.advance(3000)
    await again.outbox.close()
    expect((await entriesOf(disk, 'b'))[0]).toBeGreaterThan(6000)
  })
})

describe('a bound that rejects', () => {
  it('takes nothing beyond it, even in a burst between two rounds, and takes again when the centre has some', async () => {
    const { outbox, machine, clock, said } = await world({
      maxBytes: 8 * MIB,
      retainAcked: { bytes: 4 * MIB, age: 1e9 },
    })
    const box = { outbox, machine, said, put: async () => true }
    const taken = await load(box, 20_000)
    expect(outbox.status()).toMatchObject({ state: 'full', full: 'bound' })
    expect(outbox.status().storedBytes).toBeLessThan(8.2 * MIB)
    expect(outbox.refusal()).toMatchObject({ name: 'StopAcceptingError', code: 'OUTBOX_FULL' })
    await clock.advance(10_000)
    expect(outbox.accepting).toBe(false)
    expect(said).toEqual(['full bound'])
    // Nothing that is acknowledged was lost.
    expect((await readLane(outbox.lane('readings'))).lines.size).toBe(taken)

    acknowledge(outbox.lane('readings'), 3000)
    await clock.advance(2000)
    expect(outbox.accepting).toBe(true)
    expect(said).toEqual(['full bound', 'full null'])
    expect(await load(box, 500, taken)).toBe(500)
    expectAccounted(outbox.status())
  })

  it('accepts again as soon as everything is forwarded, even if the tail alone might fill it', async () => {
    const { outbox, machine, clock, said } = await world({
      maxBytes: 8 * MIB,
      retainAcked: { bytes: 64 * MIB, age: 1e9 },
    })
    const box = { outbox, machine, said, put: async () => true }
    const taken = await load(box, 20_000)
    acknowledge(outbox.lane('readings'))
    await clock.advance(3000)
    expect(outbox.accepting).toBe(true)
    expect(await load(box, 500, taken)).toBe(500)
    // As much of the tail is kept as leaves room.
    expect(outbox.status().storedBytes).toBeGreaterThan(5 * MIB)
  })

  it('is not stuck because a snapshot that nobody takes would be needed first', async () => {
    const { outbox, machine, clock } = await world({ maxBytes: 8 * MIB, retainAcked: { bytes: 0, age: 0 } })
    // Many series in few commits: hardly any of them is in the snapshot.
    let offset = 0
    while (outbox.accepting) {
      for (let n = 0; n < 2000; n++) {
        const one = reading(1, { device: `d${offset}`, labels: { padding: PADDING } })
        offset = machine.apply(one, outbox.append('readings', encodeLine(one))).length + offset + 1
      }
      await new Promise<void>((resolve) => outbox.whenDurable(() => resolve()))
    }
    acknowledge(outbox.lane('readings'))
    await clock.advance(20_000)
    expect(outbox.accepting).toBe(true)
    expect(outbox.status().storedBytes).toBeLessThan(3 * MIB)
  })

  it('is found full again after a restart, before anything is taken', async () => {
    const first = await world({ maxBytes: 8 * MIB })
    await load(first, 20_000)
    await first.outbox.close()
    const again = await world({ maxBytes: 8 * MIB }, first.disk)
    expect(again.outbox.accepting).toBe(false)
    expect(again.said).toEqual(['full bound'])
  })
})

describe('a bound that evicts', () => {
  it('thins the oldest, then drops it, declares every hole, and goes on accepting', async () => {
    const { outbox, machine, clock, said, disk } = await world({ maxBytes: 8 * MIB, whenFull: 'evict' })
    const box = { outbox, machine, said, put: async () => true }
    await append(outbox, 'events', `{"padding":"${PADDING}"}`)
    for (let sent = 0; sent < 30_000; sent += 500) {
      expect(await load(box, 500, sent)).toBe(500)
      await clock.advance(1000)
      expect(outbox.status().storedBytes).toBeLessThan(8.6 * MIB)
      expectAccounted(outbox.status())
    }
    const source = outbox.lane('readings')
    const { lines, gaps } = await readLane(source)
    const { missing, pending } = outbox.status().lanes.readings
    expect(lines.size).toBe(pending)
    expect(gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)).toBe(missing)
    expect(gaps.every(({ reason }) => reason === 'evicted')).toBe(true)
    expect(evictedIn(said)).toBe(missing)
    // The newest is all there, of the middle there is a part, and what is gone altogether is one hole.
    expect([...lines.keys()].slice(-3000)).toEqual(range(27_000, 29_999))
    expect(lines.size).toBeGreaterThan(5000)
    const middle = [...lines.keys()].filter((offset) => offset > 15_000 && offset < 25_000).length
    expect(middle).toBeGreaterThan(500)
    expect(middle).toBeLessThan(9000)
    expect(gaps[0]).toMatchObject({ from: 0 })
    expect(gaps[0]?.to).toBeGreaterThan(5000)
    // Events are not touched.
    expect((await readLane(outbox.lane('events'))).lines.size).toBe(1)

    // It is the same after a restart, and after the centre has it all.
    const before = outbox.status().lanes
    await outbox.close()
    const again = await world({ maxBytes: 8 * MIB, whenFull: 'evict' }, disk)
    expect(again.outbox.status().lanes).toEqual(before)
    expect((await readLane(again.outbox.lane('readings'))).lines).toEqual(lines)
    acknowledge(again.outbox.lane('readings'))
    expectAccounted(again.outbox.status())
  })

  it('does not give up what is on its way, and says of a slice that it has given up part of it', async () => {
    const { outbox, machine, clock, said } = await world({ maxBytes: 8 * MIB, whenFull: 'evict' })
    const box = { outbox, machine, said, put: async () => true }
    const source = outbox.lane('readings')
    await load(box, 5000)
    const first = await source.read(0, 50_000)
    const later = await source.read(3000, 500_000)
    expect(source.lend(first)).toBe(true)
    for (let sent = 5000; sent < 15_000; sent += 500) {
      await load(box, 500, sent)
      await clock.advance(1000)
    }
    const stays = outbox.status().lanes.readings.missing
    expect(stays).toBeGreaterThan(3000)
    expect((await readLane(source, 0)).gaps[0]?.from).toBeGreaterThanOrEqual(first.next)
    expect(source.lend(later)).toBe(false)
    expect(source.lend(await source.read(3000, 500_000))).toBe(true)
    expect(evictedIn(said)).toBe(outbox.status().lanes.readings.missing)
    expectAccounted(outbox.status())
  })

  it('gives up neither what is being forwarded nor events, and then refuses', async () => {
    const { outbox, machine, clock } = await world({ maxBytes: 8 * MIB, whenFull: 'evict' })
    while (outbox.accepting) {
      for (let n = 0; n < 100; n++) outbox.append('events', `{"padding":"${PADDING}"}`)
      await append(outbox, 'events', '{}')
    }
    await clock.advance(5000)
    expect(outbox.accepting).toBe(false)
    expect(outbox.status().lanes.events.missing).toBe(0)
    expect(machine.seriesCount).toBe(0)
  })

  it('lets dead letters pay when they are what fills it, and readings when those have nothing to give', async () => {
    const { outbox, machine, clock, said } = await world({ maxBytes: 8 * MIB, whenFull: 'evict' })
    const letter = `{"padding":"${PADDING}"}`
    for (let n = 0; n < 70; n++) {
      for (let i = 0; i < 100; i++) outbox.append('deadletters', letter)
      await append(outbox, 'deadletters', letter)
      await clock.advance(200)
    }
    await load({ outbox, machine, said, put: async () => true }, 2500)
    await clock.advance(3000)
    const { readings, deadletters } = outbox.status().lanes
    expect(outbox.accepting).toBe(true)
    expect(deadletters.missing).toBeGreaterThan(0)
    expect(readings.missing).toBe(0)
    await load({ outbox, machine, said, put: async () => true }, 20_000, 2500)
    await clock.advance(3000)
    expect(outbox.status().lanes.readings.missing).toBeGreaterThan(0)
    expectAccounted(outbox.status())
  })

  it('can give up what only a snapshot holds on to', async () => {
    const { outbox, machine, clock } = await world({ maxBytes: 8 * MIB, whenFull: 'evict' })
    for (let offset = 0; offset < 12_000; ) {
      if (outbox.accepting)
        for (let n = 0; n < 1000; n++, offset++) {
          const one = reading(1, { device: `d${offset}`, labels: { padding: PADDING } })
          machine.apply(one, outbox.append('readings', encodeLine(one)))
        }
      await clock.advance(1000)
    }
    await clock.advance(5000)
    expect(outbox.accepting).toBe(true)
    expect(outbox.status().lanes.readings.missing).toBeGreaterThan(3000)
  })
})

const evictedIn = (said: readonly string[]): number =>
  said.reduce((sum, text) => sum + Number(/^evicted readings (\d+)$/.exec(text)?.[1] ?? 0), 0)

describe('a greatest age', () => {
  it('gives up what is older and was never forwarded, and declares it', async () => {
    const { outbox, machine, clock, said } = await world({ maxAge: 60_000 })
    const box = { outbox, machine, said, put: async () => true }
    await load(box, 3000)
    await clock.advance(59_000)
    expect(outbox.status().lanes.readings.missing).toBe(0)
    await load(box, 3000, 3000)
    await clock.advance(3000)
    const { missing } = outbox.status().lanes.readings
    expect(missing).toBeGreaterThan(1500)
    expect(missing).toBeLessThanOrEqual(3000)
    expect((await readLane(outbox.lane('readings'))).gaps).toEqual([{ from: 0, to: missing - 1, reason: 'evicted' }])
    expect(evictedIn(said)).toBe(missing)
  })
})

describe('while a reader is on its way', () => {
  it('trimming and evicting under it never turn into damage', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed)
        const clock = new SimulatedClock()
        const box = await openOutbox({
          disk: new MemoryDisk(),
          dir: '/data',
          clock,
          settings: { maxBytes: 8 * MIB, whenFull: 'evict', retainAcked: { bytes: 2 * MIB, age: 1e9 } },
        })
        const source = box.outbox.lane('readings')
        let sent = 0
        let forwarding = true
        let forgets = true
        const seen = new Set<number>()
        const declared = new Set<number>()
        const forwarder = (async () => {
          while (forwarding) {
            const slice = await source.read(source.cursor.next, 200_000)
            await new Promise((resolve) => setImmediate(resolve))
            let offset = slice.from
            for (const gap of [...slice.gaps, { from: slice.next, to: slice.next }]) {
              for (; offset < gap.from; offset++) seen.add(offset)
              for (; offset <= gap.to && gap.to < slice.next; offset++) declared.add(offset)
            }
            if (random.next() < 0.6) acknowledge(source, slice.next)
            // The centre forgets, now and then.
            else if (forgets && random.next() < 0.1) acknowledge(source, Math.max(0, slice.from - 3000))
          }
        })()
        for (let round = 0; round < 10; round++) {
          sent += await load(box, 300 + Math.floor(random.next() * 1500), sent)
          await clock.advance(500)
          expectAccounted(box.outbox.status())
        }
        forgets = false
        await untilWith(clock, () => source.cursor.next === source.head)
        forwarding = false
        await forwarder
        expect(box.said.filter((text) => text.startsWith('damaged') || text.startsWith('failed'))).toEqual([])
        // Everything that was taken was either handed out or declared.
        for (let offset = 0; offset < sent; offset++) expect(seen.has(offset) || declared.has(offset)).toBe(true)
        expectAccounted(box.outbox.status())
        await box.outbox.close()
      }),
      { numRuns: 2 },
    )
  })
})

describe('on a real disk', () => {
  it('stays within its bound and declares what went', async () => {
    const dir = await tempDir()
    const clock = new SimulatedClock()
    const settings = { maxBytes: 8 * MIB, whenFull: 'evict' as const }
    const box = await openOutbox({ disk: levelDisk, dir, clock, settings })
    onTestFinished(() => box.outbox.close())
    for (let sent = 0; sent < 20_000; ) {
      sent += await load(box, 1000, sent)
      await untilWith(
        clock,
        () => box.outbox.accepting && box.outbox.status().storedBytes <= 8 * MIB,
        () => box.outbox.status(),
      )
    }
    const { lines, gaps } = await readLane(box.outbox.lane('readings'))
    const missing = gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)
    expect(lines.size + missing).toBe(box.outbox.lane('readings').head)
    expect(missing).toBeGreaterThan(5000)
    expect([...lines.keys()].slice(-1000)).toEqual(
      range(box.outbox.lane('readings').head - 1000, box.outbox.lane('readings').head - 1),
    )
    await box.outbox.close()
    const again = await openOutbox({ disk: levelDisk, dir, settings })
    expect((await readLane(again.outbox.lane('readings'))).gaps).toEqual(gaps)
    await again.outbox.close()
  })
})
