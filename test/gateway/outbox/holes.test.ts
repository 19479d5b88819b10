import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LaneState } from '../../../gateway/outbox/lane.ts'
import { LaneReader } from '../../../gateway/outbox/reader.ts'
import { type KeyValueStore, MemoryDisk, type WriteOp } from '../../../gateway/ports/index.ts'
import type { Gap, GapReason } from '../../../sync/forward/index.ts'
import { range, readLane } from './support/lane.ts'

/** A lane on a disk of its own, whose holes a test declares as it likes. */
class Lane {
  readonly state = new LaneState('readings', { maxRecords: 1000, maxBytes: 100_000 })
  readonly damaged: Gap[] = []
  readonly lines: string[] = []
  readonly reader: LaneReader
  readonly #store: KeyValueStore

  private constructor(store: KeyValueStore) {
    this.#store = store
    this.reader = new LaneReader('readings', {
      epoch: () => 'e',
      store: async () => store,
      ready: true,
      state: () => this.state,
      attach: () => undefined,
      damaged: (_, gap) => this.damaged.push(gap),
      limit: () => Number.POSITIVE_INFINITY,
      hasLineage: () => true,
      startEpoch: async () => undefined,
    })
  }

  /** @param shape how long the lines of each block are */
  static async of(shape: readonly (readonly number[])[]): Promise<Lane> {
    const lane = new Lane(await new MemoryDisk().openStore('/db', { create: true, compression: false }))
    for (const block of shape) await lane.add(block)
    return lane
  }

  async add(block: readonly number[]): Promise<void> {
    for (const length of block) {
      const line = JSON.stringify('ä'.repeat(length) + this.lines.length)
      this.lines.push(line)
      this.state.append(line)
    }
    const ops: WriteOp[] = []
    this.state.cut(1000 + this.lines.length, ops)
    await this.#store.write(ops, { sync: true })
    this.state.committed(this.state.next)
  }

  declare(from: number, to: number, reason: GapReason): void {
    this.state.declare({ from, to, reason })
  }

  /** What must be left, by offset. */
  remaining(upTo = this.lines.length): Map<number, string> {
    const left = range(0, upTo - 1).filter((offset) => !this.state.gaps.has(offset))
    return new Map(left.map((offset) => [offset, this.lines[offset] ?? '']))
  }

  lineageAt(offset: number): number {
    return crc32(
      this.lines
        .slice(0, offset)
        .map((line) => `${line}\n`)
        .join(''),
    )
  }
}

const shapes = fc.array(fc.array(fc.nat(40), { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 10 })
const holes = fc.array(
  fc.record({
    at: fc.nat(),
    length: fc.integer({ min: 1, max: 9 }),
    reason: fc.constantFrom<GapReason>('repeated', 'repeated', 'repeated', 'evicted'),
  }),
  { maxLength: 30 },
)

describe('holes within blocks', () => {
  it('are left out of what is read, whatever they are, and everything else is there', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, holes, fc.integer({ min: 1, max: 900 }), fc.nat(), async (shape, all, maxBytes, cut) => {
        const lane = await Lane.of(shape)
        const { reader, state, lines } = lane
        for (const { at, length, reason } of all) {
          const from = at % lines.length
          lane.declare(from, Math.min(from + length, lines.length) - 1, reason)
        }
        const found = new Map<number, string>()
        // Up to some record first, then to the end: where the first part ended, the second goes on.
        const middle = cut % (lines.length + 1)
        let next = 0
        for (const upTo of [middle, lines.length])
          while (next < upTo) {
            const slice = await reader.read(next, maxBytes, upTo)
            expect(slice.next).toBeGreaterThan(next)
            expect(slice.next).toBeLessThanOrEqual(upTo)
            expect(slice.gaps).toEqual(merged(state.gaps.within(next, slice.next - 1)))
            if (slice.count > 1) expect(slice.body.length).toBeLessThanOrEqual(maxBytes)
            expect(slice.lineage).toBe(lane.lineageAt(slice.next))
            expect(await reader.lineageAt(slice.next)).toBe(slice.lineage)
            expect(reader.lend(slice)).toBe(true)
            const texts = slice.body.toString('utf8').split('\n')
            expect(texts.pop()).toBe('')
            expect(texts.length).toBe(slice.count)
            const offsets = range(next, slice.next - 1).filter((offset) => !state.gaps.has(offset))
            for (const [i, offset] of offsets.entries()) found.set(offset, texts[i] ?? '')
            next = slice.next
          }
        expect(found).toEqual(lane.remaining())
        expect(lane.damaged).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('that are declared between reading and sending make the slice useless', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), fc.nat(), async (shape, first, second) => {
        const lane = await Lane.of(shape)
        const { reader, lines } = lane
        lane.declare(first % lines.length, first % lines.length, 'repeated')
        const slice = await reader.read(0, 1e6)
        const at = second % lines.length
        const known = lane.state.gaps.has(at)
        lane.declare(at, at, 'repeated')
        expect(reader.lend(slice)).toBe(known || at >= slice.next)
        expect((await readLane(reader, 0)).lines).toEqual(lane.remaining())
      }),
    )
  })

  it('are bounded in number for each slice', async () => {
    const lane = await Lane.of([Array.from({ length: 300 }, () => 3)])
    for (let at = 1; at < 300; at += 2) lane.declare(at, at, 'repeated')
    const slice = await lane.reader.read(0, 100_000)
    expect(slice.gaps.length).toBe(40)
    expect(slice.next).toBe(81)
    expect((await readLane(lane.reader, 0)).lines).toEqual(lane.remaining())
  })

  it('are not what waits longest', async () => {
    const lane = await Lane.of([[1, 1], [1, 1], [1]])
    lane.declare(0, 2, 'repeated')
    expect(await lane.reader.oldestPending()).toBe(1004)
    lane.declare(3, 4, 'repeated')
    expect(await lane.reader.oldestPending()).toBeNull()
  })
})

/** Neighbours of one reason are told as one hole. */
function merged(gaps: readonly Gap[]): Gap[] {
  const out: Gap[] = []
  for (const gap of gaps) {
    const last = out.at(-1)
    if (last && last.to + 1 === gap.from && last.reason === gap.reason) last.to = gap.to
    else out.push({ ...gap })
  }
  return out
}
