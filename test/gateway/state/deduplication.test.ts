import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Series } from '../../../gateway/state/series.ts'
import type { Reading } from '../../../sync/contract/index.ts'

const WINDOW = 8

/** What a device sent, and what it really was: the same identity means the same reading again. */
interface Sent {
  reading: Reading
  identity: string
  dup: boolean
}

const made = (extra: Partial<Reading>): Reading => ({ device: 'd', metric: 'm', value: 1, received: 0, ...extra })

/** Feeds a series and returns which of the readings it took for new. */
function judge(sent: readonly Sent[]): boolean[] {
  let series: Series | null = null
  return sent.map(({ reading, dup }, offset) => {
    if (series?.isRepeat(reading, dup)) return false
    if (series) series.apply(reading, offset, WINDOW)
    else series = Series.begin(reading, offset, WINDOW)
    return true
  })
}

/** Which of them are new: those that were not there before. */
function truth(sent: readonly Sent[]): boolean[] {
  const known = new Set<string>()
  return sent.map(({ identity }) => {
    const fresh = !known.has(identity)
    known.add(identity)
    return fresh
  })
}

/** Moves each element at most a few places, as parallel paths do. */
function shuffled<T>(all: readonly T[], jitter: readonly number[]): T[] {
  return all
    .map((value, i) => ({ value, at: i + (jitter[i % Math.max(1, jitter.length)] ?? 0) }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

const jitter = fc.array(fc.nat(6), { maxLength: 20 })
/** Places in what was sent so far that are sent once more, by when. */
const repeats = fc.array(fc.tuple(fc.nat(200), fc.nat(400)), { maxLength: 30 })

function withRepeats(sent: readonly Sent[], again: readonly (readonly [which: number, later: number])[]): Sent[] {
  const all: { sent: Sent; at: number }[] = sent.map((one, at) => ({ sent: one, at }))
  for (const [which, later] of again) {
    const first = sent[which % Math.max(1, sent.length)]
    const at = which % Math.max(1, sent.length)
    if (first) all.push({ sent: { ...first, dup: true }, at: at + later + 0.5 })
  }
  return all.sort((a, b) => a.at - b.at).map((entry) => entry.sent)
}

describe('a device that counts', () => {
  const counted = (life: number, seq: number, extra: Partial<Reading>): Sent => ({
    reading: made({ seq, value: seq, ...extra }),
    identity: `${life}/${seq}`,
    dup: false,
  })

  it.each([
    ['with timestamps', true],
    ['without timestamps', false],
  ])('is judged exactly, %s: repeats at any time, late backfills, disorder', (_, timed) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 1000 }),
        fc.integer({ min: 1, max: 120 }),
        // A stretch that is held back (an outage) and sent at the end.
        fc.tuple(fc.nat(120), fc.nat(40)),
        jitter,
        repeats,
        (start, count, [from, length], moves, again) => {
          const all = Array.from({ length: count }, (_, i) =>
            counted(0, start + i, timed ? { time: 1000 * (start + i) } : {}),
          )
          const late = all.splice(from, length)
          const sent = withRepeats(shuffled([...all, ...late], moves), again)
          expect(judge(sent)).toEqual(truth(sent))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is judged exactly over restarts that it announces by a new session', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
        jitter,
        repeats,
        (lives, moves, again) => {
          const all = lives.flatMap((count, life) =>
            Array.from({ length: count }, (_, seq) => counted(life, seq, { session: `boot-${life}` })),
          )
          const sent = withRepeats(shuffled(all, moves), again)
          expect(judge(sent)).toEqual(truth(sent))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is judged exactly over restarts with a later time, late repeats and backfills of its life before included', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
        fc.nat(3),
        fc.tuple(fc.nat(40), fc.nat(10)),
        repeats,
        (lives, start, [from, length], again) => {
          let time = 0
          const all = lives.map((count, life) => {
            time += 100_000
            return Array.from({ length: count }, (_, i) => counted(life, start + i, { time: time + 1000 * (i + 1) }))
          })
          // A stretch of each life is sent while the next one is under way.
          const sent: Sent[] = []
          let held: Sent[] = []
          for (const life of all) {
            const late = life.splice(from + 1, length)
            sent.push(...life.slice(0, 2), ...held, ...life.slice(2))
            held = late
          }
          sent.push(...held)
          const repeated = withRepeats(sent, again)
          expect(judge(repeated)).toEqual(truth(repeated))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('that has no clock, and starts to count again, is heard; its repeats are not stored', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 3, max: 30 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 1),
        fc.array(fc.nat(3), { maxLength: 40 }),
        (lives, start, repeated) => {
          let n = 0
          const sent = lives.flatMap((count, life) =>
            Array.from({ length: count }, (_, i) => counted(life, start + i, {})).flatMap((one) => {
              // Whatever got no answer comes again, marked as such, before the next.
              const times = repeated[n++ % Math.max(1, repeated.length)] ?? 0
              return [one, ...Array.from({ length: times }, () => ({ ...one, dup: true }))]
            }),
          )
          expect(judge(sent)).toEqual(truth(sent))
        },
      ),
    )
  })

  it('whose clock was reset together with its counter is heard', () => {
    const before = Array.from({ length: 20 }, (_, i) => counted(0, i, { time: 1_000_000 + 1000 * i }))
    const after = Array.from({ length: 20 }, (_, i) => counted(1, i, { time: 5000 + 1000 * i }))
    const sent = [...before, ...after, ...after.slice(3, 6), ...before.slice(10, 12)]
    expect(judge(sent)).toEqual(truth(sent))
  })
})

describe('a device that does not count', () => {
  it('is known by its ids, within the window', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 100 }), (ids) => {
        const sent = ids.map((id) => ({ reading: made({ id: `x${id}`, time: 7 }), identity: `${id}`, dup: false }))
        // The slow definition: the last WINDOW different ids that were taken for new.
        let window: number[] = []
        const expected = ids.map((id) => {
          if (window.includes(id)) return false
          window = [...window, id].slice(-WINDOW)
          return true
        })
        expect(judge(sent)).toEqual(expected)
      }),
    )
  })

  it('is known by timestamp and value, within the window', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(6), fc.nat(3)), { maxLength: 100 }), (all) => {
        const sent = all.map(([time, value]) => ({
          reading: made({ time, value }),
          identity: `${time}/${value}`,
          dup: false,
        }))
        let window: string[] = []
        const expected = sent.map(({ identity }) => {
          if (window.includes(identity)) return false
          window = [...window, identity].slice(-WINDOW)
          return true
        })
        expect(judge(sent)).toEqual(expected)
      }),
    )
  })

  it('and gives neither id nor time is always heard', () => {
    const sent = Array.from({ length: 5 }, () => ({ reading: made({}), identity: '', dup: true }))
    expect(judge(sent)).toEqual([true, true, true, true, true])
  })
})
