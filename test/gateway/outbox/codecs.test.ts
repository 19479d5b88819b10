import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BLOCK_HEADER_BYTES,
  decodeBlock,
  decodeBlockHeader,
  encodeBlock,
  skipLines,
  soundBlock,
} from '../../../gateway/outbox/block.ts'
import {
  cursorKey,
  headKey,
  namedKey,
  namedRange,
  nameOf,
  offsetKey,
  offsetOf,
  offsetRange,
} from '../../../gateway/outbox/keys.ts'
import { decodeNote, encodeNote } from '../../../gateway/outbox/note.ts'
import { LANES } from '../../../sync/contract/index.ts'

const offsets = fc.oneof(fc.maxSafeNat(), fc.nat(1000), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 52))
const lines = fc.array(
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  { maxLength: 20 },
)

const blocks = fc
  .record({
    lines,
    first: offsets,
    committedAt: fc.maxSafeNat(),
    bytesBefore: fc.maxSafeNat(),
    lineageBefore: fc.nat(0xffffffff),
  })
  .map(({ lines: all, ...facts }) => {
    const body = Buffer.from(all.map((line) => `${line}\n`).join(''))
    return { body, facts: { ...facts, count: all.length } }
  })

describe('a block', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(blocks, ({ body, facts }) => {
        const { value, lineage } = encodeBlock(body, facts)
        expect(lineage).toBe(crc32(body, facts.lineageBefore))
        expect(decodeBlock(value)).toEqual({ ...facts, lineage, bodyBytes: body.length, body })
        expect(decodeBlockHeader(value)).toEqual({ ...facts, lineage, bodyBytes: body.length })
      }),
    )
  })

  it('is damaged when any bit of it is another, or it is longer or shorter', () => {
    fc.assert(
      fc.property(blocks, fc.nat(), fc.nat(7), ({ body, facts }, at, bit) => {
        const { value } = encodeBlock(body, facts)
        const flipped = Buffer.from(value)
        const index = at % value.length
        flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << bit), index)
        const damaged = expect.objectContaining({ code: 'BLOCK_DAMAGED' })
        expect(() => decodeBlock(flipped)).toThrow(damaged)
        expect(() => decodeBlock(value.subarray(0, index))).toThrow(damaged)
        expect(() => decodeBlock(Buffer.concat([value, Buffer.from('\n')]))).toThrow(damaged)
        expect(soundBlock(facts.first, flipped)).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  it('continues the running checksum of its lane, wherever the lane is cut into blocks', () => {
    fc.assert(
      fc.property(fc.array(lines, { maxLength: 6 }), (parts) => {
        let lineage = 0
        for (const part of parts) {
          const body = Buffer.from(part.map((line) => `${line}\n`).join(''))
          const facts = { count: part.length, first: 0, committedAt: 0, bytesBefore: 0, lineageBefore: lineage }
          lineage = encodeBlock(body, facts).lineage
        }
        const whole = parts.flat().map((line) => `${line}\n`)
        expect(lineage).toBe(crc32(Buffer.from(whole.join(''))))
      }),
    )
  })

  it('does not belong under another key', () => {
    const { value } = encodeBlock(Buffer.from('{}\n'), {
      count: 1,
      first: 5,
      committedAt: 0,
      bytesBefore: 0,
      lineageBefore: 0,
    })
    expect(soundBlock(5, value)?.count).toBe(1)
    expect(soundBlock(6, value)).toBeNull()
  })

  it('says where its n-th line begins', () => {
    const body = Buffer.from('a\nbb\nccc\n')
    expect([0, 1, 2, 3].map((n) => skipLines(body, n))).toEqual([0, 2, 5, 9])
    expect(() => skipLines(body, 4)).toThrow('fewer than 4 lines')
    expect(BLOCK_HEADER_BYTES).toBe(48)
  })
})

describe('keys', () => {
  const kinds = fc.constantFrom('b' as const, 'g' as const, 'p' as const, 'x' as const)
  const lanes = fc.constantFrom(...LANES)

  it('sort as their offsets do, each lane and kind by itself', () => {
    fc.assert(
      fc.property(kinds, lanes, offsets, offsets, (kind, lane, a, b) => {
        const [keyA, keyB] = [offsetKey(kind, lane, a), offsetKey(kind, lane, b)]
        expect(Math.sign(Buffer.compare(keyA, keyB))).toBe(Math.sign(a - b))
        expect(offsetOf(keyA)).toBe(a)
      }),
    )
  })

  it('lie in the range of their own kind and lane only', () => {
    const all = LANES.flatMap((lane) => [
      ...(['b', 'g', 'p', 'x'] as const).flatMap((kind) => [offsetKey(kind, lane, 0), offsetKey(kind, lane, 2 ** 50)]),
      cursorKey(lane),
      headKey(lane),
    ])
    const named = (['m', 's', 'q'] as const).flatMap((kind) => [namedKey(kind, 'a'), namedKey(kind, '\u{10ffff}')])
    for (const lane of LANES)
      for (const kind of ['b', 'g', 'p', 'x'] as const) {
        const { gte, lt } = offsetRange(kind, lane, 0)
        const within = [...all, ...named].filter((key) => key.compare(gte) >= 0 && key.compare(lt) < 0)
        expect(within).toEqual([offsetKey(kind, lane, 0), offsetKey(kind, lane, 2 ** 50)])
      }
    for (const kind of ['m', 's', 'q'] as const) {
      const { gte, lt } = namedRange(kind)
      const within = [...all, ...named].filter((key) => key.compare(gte) >= 0 && key.compare(lt) < 0)
      expect(within.map(nameOf)).toEqual(['a', '\u{10ffff}'])
    }
  })
})

describe('a note', () => {
  it('comes back as it was, and as nothing when a bit of it is another', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.nat(7), (fact, at, bit) => {
        const note = encodeNote(fact)
        expect(decodeNote(note)).toEqual(JSON.parse(JSON.stringify(fact)))
        const flipped = Buffer.from(note)
        const index = at % note.length
        flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << bit), index)
        expect(decodeNote(flipped)).toBeNull()
      }),
    )
    expect(decodeNote(undefined)).toBeNull()
    expect(decodeNote(Buffer.alloc(3))).toBeNull()
  })
})
