import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type LaneExtent,
  laneBytes,
  MAX_LEVEL,
  pendingBytes,
  planEviction,
  planExpiry,
  planTrim,
  survives,
  trimmableBytes,
} from '../../../gateway/outbox/bounds.ts'
import { GIVEN_UP, type Segment, Segments } from '../../../gateway/outbox/segments.ts'

const MIB = 1024 * 1024
const START = Date.UTC(2026)

/** A lane of segments that grow in every respect, with cursor and replay anywhere in it. */
const extents = fc
  .record({
    start: fc.nat(1e9),
    sizes: fc.array(
      fc.record({
        records: fc.integer({ min: 1, max: 10_000 }),
        bytes: fc.integer({ min: 1, max: 2 * MIB }),
        pause: fc.nat(10_000),
        level: fc.constantFrom(0, 0, 0, 1, 2, 3, GIVEN_UP),
      }),
      { minLength: 1, maxLength: 30 },
    ),
    cursor: fc.float({ min: 0, max: 1, noNaN: true }),
    lent: fc.float({ min: 0, max: 1, noNaN: true }),
    replay: fc.float({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ start, sizes, cursor, lent, replay }): LaneExtent => {
    const segments: Segment[] = []
    let first = start
    let bytesBefore = start
    let committedAt = START
    for (const { records, bytes, pause, level } of sizes) {
      segments.push({ first, bytesBefore, committedAt, level })
      first += records
      bytesBefore += bytes
      committedAt += pause
    }
    const share = (part: number): number => start + Math.floor(part * (first - start))
    const head = { offset: first, bytes: bytesBefore }
    return { segments, head, cursor: share(cursor), lent: share(Math.max(cursor, lent)), replayFrom: share(replay) }
  })

const retention = fc.record({ bytes: fc.nat(10 * MIB), age: fc.nat(100_000) })

/** The extent after everything before `cut` went. */
const trimmed = (extent: LaneExtent, cut: number | null): LaneExtent => ({
  ...extent,
  segments: extent.segments.filter(({ first }) => cut === null || first >= cut),
})

describe('planTrim', () => {
  it('never takes what is not forwarded, or needed for replay, and nothing that the retention asks to keep', () => {
    fc.assert(
      fc.property(extents, retention, fc.nat(500_000), (extent, keep, elapsed) => {
        const now = START + elapsed
        const cut = planTrim(extent, keep, now)
        if (cut !== null) {
          expect(cut).toBeLessThanOrEqual(extent.cursor)
          expect(cut).toBeLessThanOrEqual(extent.replayFrom)
          expect(extent.segments.some(({ first }) => first === cut)).toBe(true)
        }
        const after = trimmed(extent, cut)
        expect(after.segments.length).toBeGreaterThanOrEqual(1)
        // What is left is within the bounds, or cannot go.
        const [oldest, next] = after.segments
        const canGo = oldest && next && next.first <= Math.min(extent.cursor, extent.replayFrom)
        if (canGo) {
          expect(trimmableBytes(after)).toBeLessThanOrEqual(keep.bytes)
          expect(now - next.committedAt).toBeLessThanOrEqual(keep.age)
        }
        expect(planTrim(after, keep, now)).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  it('keeps the newest of the acknowledged tail, as much of it as fits', () => {
    const segments = Array.from({ length: 10 }, (_, i) => ({
      first: i * 100,
      bytesBefore: i * MIB,
      committedAt: i,
      level: 0,
    }))
    const extent = { segments, head: { offset: 1000, bytes: 10 * MIB }, cursor: 800, lent: 1000, replayFrom: 1000 }
    expect(planTrim(extent, { bytes: 3 * MIB, age: 1e9 }, 10)).toBe(500)
    expect(planTrim(extent, { bytes: 8 * MIB, age: 1e9 }, 10)).toBeNull()
    expect(planTrim(extent, { bytes: 0, age: 1e9 }, 10)).toBe(800)
    expect(planTrim({ ...extent, replayFrom: 250 }, { bytes: 0, age: 0 }, 10)).toBe(200)
  })
})

describe('bytes', () => {
  it('of what is pending and of what could be trimmed never exceed what is there', () => {
    fc.assert(
      fc.property(extents, (extent) => {
        const all = laneBytes(extent)
        expect(all).toBeGreaterThanOrEqual(0)
        expect(pendingBytes(extent)).toBeGreaterThanOrEqual(0)
        expect(pendingBytes(extent) + trimmableBytes(extent)).toBeLessThanOrEqual(all + 1e-6)
        expect(pendingBytes({ ...extent, cursor: 0 })).toBeCloseTo(all, 3)
        expect(pendingBytes({ ...extent, cursor: extent.head.offset })).toBe(0)
      }),
    )
  })
})

/** Carries a plan out, as upkeep does. */
function giveUp(extent: LaneExtent, plan: NonNullable<ReturnType<typeof planEviction>>): LaneExtent {
  const segments = new Segments()
  for (const segment of extent.segments) segments.push(segment)
  if (plan.kind === 'drop') segments.giveUp(plan.from)
  else segments.thinned(plan.from, plan.level)
  return { ...extent, segments: segments.all }
}

describe('planEviction', () => {
  it('ends, frees something with every step, and touches neither what is forwarded, on its way, needed or still growing', () => {
    fc.assert(
      fc.property(extents, (initial) => {
        let extent = initial
        const newest = initial.segments.at(-1)
        const steps = initial.segments.length * (MAX_LEVEL + 1)
        let n = 0
        for (let plan = planEviction(extent); plan; plan = planEviction(extent)) {
          expect(++n).toBeLessThanOrEqual(steps)
          expect(plan.from).toBeGreaterThanOrEqual(extent.lent)
          expect(plan.to).toBeLessThanOrEqual(extent.replayFrom)
          expect(plan.from).toBeLessThan(plan.to)
          const before = laneBytes(extent)
          extent = giveUp(extent, plan)
          expect(laneBytes(extent)).toBeLessThan(before)
        }
        expect(extent.segments.at(-1)).toEqual(newest)
        // All that may go is gone.
        const left = extent.segments.filter((segment, i) => {
          const next = extent.segments[i + 1]
          return segment.first >= extent.lent && next && next.first <= extent.replayFrom && segment.level < GIVEN_UP
        })
        expect(left).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('keeps a picture of the whole outage, finer towards its end', () => {
    const segments = Array.from({ length: 65 }, (_, i) => ({
      first: i * 100,
      bytesBefore: i * MIB,
      committedAt: i,
      level: 0,
    }))
    let extent: LaneExtent = { segments, head: { offset: 6500, bytes: 65 * MIB }, cursor: 0, lent: 0, replayFrom: 6500 }
    // Until the first segment would have to go altogether.
    for (let plan = planEviction(extent); plan?.kind === 'thin'; plan = planEviction(extent))
      extent = giveUp(extent, plan)
    expect(extent.segments.map(({ level }) => level).join('')).toBe(
      '3'.repeat(8) + '2'.repeat(8) + '1'.repeat(16) + '0'.repeat(33),
    )
    expect(planEviction(extent)).toEqual({ kind: 'drop', from: 0, to: 100 })
  })
})

describe('planExpiry', () => {
  it('takes only whole segments of the backlog that are older than allowed', () => {
    fc.assert(
      fc.property(extents, fc.nat(200_000), fc.nat(500_000), (extent, maxAge, elapsed) => {
        const now = START + elapsed
        const plan = planExpiry(extent, maxAge, now)
        if (!plan) return
        expect(plan.from).toBeGreaterThanOrEqual(extent.lent)
        expect(plan.to).toBeLessThanOrEqual(extent.replayFrom)
        const next = extent.segments.find(({ first }) => first === plan.to)
        expect(now - (next?.committedAt ?? now)).toBeGreaterThan(maxAge)
      }),
    )
  })
})

describe('a clock that was set only later', () => {
  it('makes nothing old: not what was committed before it was set', () => {
    // Started in 1970, heard the time after an hour.
    const times = [0, 1_200_000, 2_400_000, 3_600_000, START, START + 600_000]
    const segments = times.map((committedAt, i) => ({ first: i * 100, bytesBefore: i * MIB, committedAt, level: 0 }))
    const extent = { segments, head: { offset: 600, bytes: 6 * MIB }, cursor: 0, lent: 0, replayFrom: 600 }
    expect(planExpiry(extent, 86_400_000, START + 1_200_000)).toBeNull()
  })
})

describe('survives', () => {
  it('keeps about half of the runs at each level, and only what survived the level before', () => {
    const runs = Array.from({ length: 4000 }, (_, i) => i * 256)
    for (let level = 1; level <= MAX_LEVEL; level++) {
      const kept = runs.filter((first) => survives(first, level))
      expect(kept.length / runs.length).toBeGreaterThan(0.8 / 2 ** level)
      expect(kept.length / runs.length).toBeLessThan(1.2 / 2 ** level)
      expect(kept.every((first) => survives(first, level - 1))).toBe(true)
    }
    expect(survives(1000, 2)).toBe(survives(1023, 2))
  })
})

describe('Segments', () => {
  it('do not grow in number while an outage outgrows the disk', () => {
    const segments = new Segments()
    for (let i = 0; i < 1000; i++) {
      segments.push({ first: i, bytesBefore: i * MIB, committedAt: 0, level: 0 })
      if (i >= 10) segments.giveUp(i - 10)
    }
    expect(segments.all.length).toBe(11)
    expect(segments.oldest).toMatchObject({ first: 0, level: GIVEN_UP })
  })
})
