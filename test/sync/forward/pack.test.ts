import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HEADERS } from '../../../sync/contract/index.ts'
import { decodePackBody, decodePackFacts, type Gap, type LaneSlice, offsetsOf } from '../../../sync/forward/index.ts'
import { encodePack, HEADER_ROOM, ownHead, withoutRecords } from '../../../sync/forward/pack.ts'
import type { OutgoingMessage } from '../../../sync/link/index.ts'

const ORIGIN = { epoch: 'a1b2c3d4e5f60718', term: 3 }
const TARGET = { stream: 'READINGS', subject: 'readings.site.gw' }

interface Part {
  lines: string[]
  gap: { length: number; reason: Gap['reason'] } | null
}

const parts: fc.Arbitrary<Part[]> = fc.array(
  fc.record({
    lines: fc.array(
      fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)),
      { maxLength: 6 },
    ),
    gap: fc.option(
      fc.record({
        length: fc.integer({ min: 1, max: 50 }),
        reason: fc.constantFrom<Gap['reason']>('evicted', 'damaged', 'trimmed', 'oversize', 'repeated'),
      }),
    ),
  }),
  { minLength: 1, maxLength: 8 },
)

/** A slice of a lane, with the offset of each of its lines. */
function sliceOf(from: number, all: readonly Part[], lineage: number | null): { slice: LaneSlice; offsets: number[] } {
  let next = from
  const offsets: number[] = []
  const gaps: Gap[] = []
  const lines: string[] = []
  for (const { lines: some, gap } of all) {
    for (const line of some) {
      offsets.push(next++)
      lines.push(`${line}\n`)
    }
    if (!gap) continue
    gaps.push({ from: next, to: next + gap.length - 1, reason: gap.reason })
    next += gap.length
  }
  return { slice: { from, next, count: lines.length, body: Buffer.from(lines.join('')), gaps, lineage }, offsets }
}

const header = (message: OutgoingMessage) => (name: string) => message.headers.find(([key]) => key === name)?.[1]

describe('a pack', () => {
  it('comes back as it was: lines, offsets, gaps and origin, plain and compressed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.maxSafeNat().map((n) => Math.floor(n / 2)),
        parts,
        fc.option(fc.nat(0xffffffff)),
        fc.boolean(),
        async (from, all, lineage, gzip) => {
          const { slice, offsets } = sliceOf(from, all, lineage)
          if (slice.next === slice.from) return
          const message = await encodePack(slice, ORIGIN, TARGET, gzip)
          expect(message).toMatchObject(TARGET)
          const facts = decodePackFacts(header(message))
          expect(facts).toEqual({
            ...ORIGIN,
            from,
            to: slice.next - 1,
            count: slice.count,
            gaps: slice.gaps,
            lineage,
          })
          expect([...offsetsOf(facts)]).toEqual(offsets)
          const lines = await decodePackBody(facts, message.body, header(message)(HEADERS.contentEncoding))
          expect(lines.map((line) => `${line}\n`).join('')).toBe(slice.body.toString('utf8'))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('is compressed only where that pays', async () => {
    const { slice: small } = sliceOf(0, [{ lines: ['{"value":1}'], gap: null }], null)
    expect(header(await encodePack(small, ORIGIN, TARGET, true))(HEADERS.contentEncoding)).toBeUndefined()
    const { slice: large } = sliceOf(0, [{ lines: Array(1000).fill('{"value":1}'), gap: null }], null)
    const message = await encodePack(large, ORIGIN, TARGET, true)
    expect(header(message)(HEADERS.contentEncoding)).toBe('gzip')
    expect(message.body.length).toBeLessThan(large.body.length / 20)
  })

  it('has headers that fit into the room that is left for them, even with as many gaps as a slice can have', async () => {
    const far = 2 ** 52
    const gaps = Array.from(
      { length: 40 },
      (_, i): Gap => ({ from: far + 4 * i, to: far + 4 * i + 1, reason: 'oversize' }),
    )
    const slice = {
      from: far,
      next: far + 158,
      count: 78,
      body: Buffer.from('{}\n'.repeat(78)),
      gaps,
      lineage: 0xffffffff,
    }
    const message = await encodePack(slice, { epoch: 'f'.repeat(16), term: 2 ** 31 }, TARGET, true)
    const bytes = message.headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
    expect(bytes + 200).toBeLessThan(HEADER_ROOM)
    expect(decodePackFacts(header(message)).gaps).toEqual(gaps)
  })

  it.each([
    [HEADERS.epoch, ''],
    [HEADERS.from, '-1'],
    [HEADERS.from, 'abc'],
    [HEADERS.to, '1e3'],
    [HEADERS.count, '3'],
    [HEADERS.gaps, '7'],
    [HEADERS.gaps, '0-0 lost'],
    [HEADERS.gaps, '0-0 evicted,1-1 evicted'],
    [HEADERS.term, ''],
  ])('is not believed when %s is %j', async (name, value) => {
    const { slice } = sliceOf(0, [{ lines: ['{}', '{}'], gap: null }], null)
    const message = await encodePack(slice, ORIGIN, TARGET, false)
    const wrong = (key: string): string | undefined => (key === name ? value : header(message)(key))
    expect(() => decodePackFacts(wrong)).toThrow(expect.objectContaining({ code: 'PACK_HEADERS' }))
  })

  it.each([
    ['fewer lines', Buffer.from('{}\n'), undefined],
    ['more lines', Buffer.from('{}\n{}\n{}\n'), undefined],
    ['no gzip', Buffer.from('{}\n{}\n'), 'gzip'],
    ['half a gzip', Buffer.from([0x1f, 0x8b, 8, 0, 0]), 'gzip'],
  ])('is not unpacked from %s', async (_, body, encoding) => {
    const { slice } = sliceOf(0, [{ lines: ['{}', '{}'], gap: null }], null)
    const facts = decodePackFacts(header(await encodePack(slice, ORIGIN, TARGET, false)))
    await expect(decodePackBody(facts, body, encoding)).rejects.toMatchObject({ code: 'PACK_BODY' })
  })

  it('of records that no message can hold declares them, and the holes between them as they are', () => {
    fc.assert(
      fc.property(parts, (all) => {
        const { slice, offsets } = sliceOf(3, all, 7)
        const bare = withoutRecords(slice)
        expect(bare).toMatchObject({ from: slice.from, next: slice.next, count: 0, lineage: 7 })
        const why = new Map(
          bare.gaps.flatMap(({ from, to, reason }) =>
            Array.from({ length: to - from + 1 }, (_, i) => [from + i, reason] as const),
          ),
        )
        expect(why.size).toBe(slice.next - slice.from)
        for (const offset of offsets) expect(why.get(offset)).toBe('oversize')
        for (const { from, reason } of slice.gaps) expect(why.get(from)).toBe(reason)
      }),
    )
  })

  it('is known as our own by its epoch', async () => {
    const { slice } = sliceOf(10, [{ lines: ['{}', '{}'], gap: null }], 0xabc)
    const { headers } = await encodePack(slice, ORIGIN, TARGET, false)
    const head = { sequence: 7, headers: new Map(headers) }
    expect(ownHead(head, ORIGIN.epoch)).toEqual({ sequence: 7, to: 11, term: 3, lineage: 0xabc })
    expect(ownHead(head, 'another')).toBeNull()
    expect(ownHead(null, ORIGIN.epoch)).toBeNull()
  })
})
