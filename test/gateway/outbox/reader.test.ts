import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { offsetKey } from '../../../gateway/outbox/keys.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { openOutbox, type TestOutbox } from '../../support/outbox.ts'
import { acknowledge, append, fill, range, readLane } from './support/lane.ts'

async function opened(options: Partial<Parameters<typeof openOutbox>[0]> = {}): Promise<TestOutbox> {
  const box = await openOutbox({ disk: new MemoryDisk(), dir: '/data', ...options })
  onTestFinished(() => box.outbox.close())
  return box
}

/** Lines of different lengths, some of several bytes a character, in blocks of different sizes. */
async function lanesOf(box: TestOutbox, blocks: readonly (readonly number[])[]): Promise<string[]> {
  const lines: string[] = []
  for (const block of blocks) {
    const texts = block.map((length) => JSON.stringify('ä'.repeat(length) + lines.length))
    lines.push(...texts)
    for (const text of texts.slice(0, -1)) box.outbox.append('readings', text)
    await append(box.outbox, 'readings', texts.at(-1) ?? '')
  }
  return lines
}

const blocks = fc.array(fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })

describe('reading a lane', () => {
  it('gives whole records in order, as many as fit and at least one, from anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(blocks, fc.integer({ min: 1, max: 800 }), fc.nat(), fc.boolean(), async (...drawn) => {
        const [shape, maxBytes, start, fromDisk] = drawn
        const disk = new MemoryDisk()
        let box = await openOutbox({ disk, dir: '/data' })
        const lines = await lanesOf(box, shape)
        if (fromDisk) {
          await box.outbox.close()
          box = await openOutbox({ disk, dir: '/data' })
        }
        const source = box.outbox.lane('readings')
        const from = start % lines.length
        let next = from
        const found: string[] = []
        while (next < source.head) {
          const slice = await source.read(next, maxBytes)
          expect(slice.count).toBeGreaterThanOrEqual(1)
          expect(slice.next).toBe(next + slice.count)
          if (slice.count > 1) expect(slice.body.length).toBeLessThanOrEqual(maxBytes)
          // What would have fitted is not left for the next one: the whole next block, or the next line of this one.
          const left = lines.slice(slice.next, slice.next + (blockAt(shape, slice.next) ?? 1))
          if (left.length > 0) expect(slice.body.length + bytesOf(left)).toBeGreaterThan(maxBytes)
          expect(slice.lineage).toBe(await source.lineageAt(slice.next))
          expect(slice.lineage).toBe(
            crc32(
              lines
                .slice(0, slice.next)
                .map((line) => `${line}\n`)
                .join(''),
            ),
          )
          found.push(...slice.body.toString('utf8').split('\n').slice(0, -1))
          next = slice.next
        }
        expect(found).toEqual(lines.slice(from))
        await box.outbox.close()
      }),
      { numRuns: 60 },
    )
  })

  it('shows nothing that is not durable', async () => {
    const box = await opened()
    const source = box.outbox.lane('readings')
    box.outbox.append('readings', '{"n":1}')
    expect(source.head).toBe(0)
    expect(await source.read(0, 1000)).toMatchObject({ from: 0, next: 0, count: 0, gaps: [], lineage: null })
    let grown = 0
    const stop = source.onGrowth(() => grown++)
    await append(box.outbox, 'readings', '{"n":2}')
    expect(grown).toBe(1)
    expect((await source.read(0, 1000)).count).toBe(2)
    stop()
    await append(box.outbox, 'readings', '{"n":3}')
    expect(grown).toBe(1)
  })

  it('tells when the oldest record that waits was committed', async () => {
    const clock = new SimulatedClock(1000)
    const box = await opened({ clock })
    const source = box.outbox.lane('readings')
    expect(await source.oldestPending()).toBeNull()
    await append(box.outbox, 'readings', '{"n":1}')
    await clock.advance(500)
    await append(box.outbox, 'readings', '{"n":2}')
    expect(await source.oldestPending()).toBe(1000)
    acknowledge(source, 1)
    expect(await source.oldestPending()).toBe(1500)
    acknowledge(source, 2)
    expect(await source.oldestPending()).toBeNull()
  })

  it('declares a bounded number of holes in one slice, and the rest in the next', async () => {
    const disk = new MemoryDisk()
    const first = await openOutbox({ disk, dir: '/data' })
    for (let n = 0; n < 400; n++) await append(first.outbox, 'readings', `{"n":${n}}`)
    await first.outbox.close()
    for (let n = 1; n < 400; n += 2) disk.lose('/data/db', offsetKey('b', 'readings', n))
    const box = await opened({ disk })
    const source = box.outbox.lane('readings')
    const slice = await source.read(0, 100_000)
    expect(slice.gaps.length).toBe(40)
    expect(slice.next).toBe(81)
    const { lines, gaps } = await readLane(source)
    expect([...lines.keys()]).toEqual(range(0, 399).filter((n) => n % 2 === 0))
    expect(gaps.length).toBe(200)
  })

  it('calls what was trimmed away trimmed, not damaged, when the centre asks for it', async () => {
    const clock = new SimulatedClock()
    const box = await opened({ clock, settings: { retainAcked: { bytes: 0, age: 0 } } })
    const source = box.outbox.lane('readings')
    // Several segments of a MiB.
    await fill(box, 1, 30_000, 3000)
    acknowledge(source)
    await clock.advance(2000)
    const { tail } = source
    expect(tail).toBeGreaterThan(5000)
    source.moveCursor({ next: 1000, sequence: 0, streamCreated: 'then' })
    const { lines, gaps } = await readLane(source)
    expect(gaps).toEqual([{ from: 1000, to: tail - 1, reason: 'trimmed' }])
    expect([...lines.keys()]).toEqual(range(tail, 29_999))
    expect(await source.lineageAt(1000)).toBeNull()
    // It was not damaged, and it had been forwarded once.
    expect(box.said).toEqual([])
    expect(box.outbox.status().lanes.readings).toMatchObject({ forwarded: tail, pending: 30_000 - tail, missing: 0 })
  })
})

/** How many records the block has that begins at this record; null when none begins there. */
function blockAt(shape: readonly (readonly number[])[], offset: number): number | null {
  let at = 0
  for (const block of shape) {
    if (at === offset) return block.length
    at += block.length
  }
  return null
}

const bytesOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
