import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import { encodeLine, type Reading } from '../../../sync/contract/index.ts'
import { Stored } from './stored.ts'

const SETTINGS = { dedupeWindow: 4, maxSeries: 1000, gateway: 'gw' }

const machine = (settings = SETTINGS): StateMachine => new StateMachine(settings)

const made = (extra: Partial<Reading>): Reading => ({ device: 'd', metric: 'm', value: 1, received: 0, ...extra })

/** Takes the reading in unless it is a repeat; says whether it was new. */
function feed(to: StateMachine, stored: Stored | null, said: Reading, offset: number, dup = false): boolean {
  if (to.isRepeat(said, dup)) return false
  const life = to.lifeOf(said)
  const reading = life > 1 ? { ...said, life } : said
  stored?.lines.push(encodeLine(reading))
  to.apply(reading, offset)
  return true
}

const readings = fc.record(
  {
    device: fc.constantFrom('d1', 'd2', 'a\nb', 'a'),
    metric: fc.constantFrom('m1', 'b\nm', 'm2'),
    value: fc.constantFrom(1, 2),
    received: fc.constant(0),
    time: fc.integer({ min: 1, max: 30 }).map((n) => n * 10_000),
    seq: fc.nat(20),
    id: fc.constantFrom('x', 'y', 'z'),
    session: fc.constantFrom('s1', 's2', 's3', 's4', 's5'),
  },
  { requiredKeys: ['device', 'metric', 'value', 'received'], noNullPrototype: true },
)

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('reading' as const), reading: readings, dup: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), records: fc.integer({ min: 0, max: 60_000 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
)

describe('StateMachine', () => {
  it('judges after any number of restarts as if it had never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const steady = machine()
        const stored = new Stored()
        let restarted = machine()
        for (const one of steps) {
          if (one.kind === 'commit') stored.commit(restarted, one.records)
          else if (one.kind === 'restart') {
            restarted = machine()
            await restarted.rebuild(stored)
          } else {
            const offset = stored.lines.length
            expect(feed(restarted, stored, one.reading, offset, one.dup)).toBe(
              feed(steady, null, one.reading, offset, one.dup),
            )
          }
        }
        expect(new Set(restarted.lastReadings())).toEqual(new Set(steady.lastReadings()))
      }),
      { numRuns: 150 },
    )
  })

  it('begins a test over several metrics with the reading that came last, also if others are read back last', async () => {
    const steady = machine()
    const stored = new Stored()
    feed(steady, stored, made({ metric: 'old', received: 1, time: 1 }), 0)
    feed(steady, stored, made({ metric: 'new', received: 2, time: 2 }), 1)
    // The peer's word is late, so it is stored at once, before what was said here.
    const late = made({ metric: 'late', time: 0 })
    stored.replicas.set('peer/1', [encodeLine(late)])
    steady.hear('peer/1', late, 0)
    stored.commit(steady, 0)
    expect([...stored.parts.keys()]).toEqual(['["d","late"]'])
    const again = machine()
    await again.rebuild(stored)
    const given = {
      rules: [{ id: 'all', match: {}, when: { all: ['late', 'old', 'new'].map((metric) => ({ metric, above: 9 })) } }],
    }
    for (const it of [steady, again]) {
      it.resume(2)
      it.changeRules('file', given, ruleSetSchema.parse(given), 2)
      expect([...it.alarms()].map(({ last }) => last.metric)).toEqual(['new'])
    }
  })

  it('forgets what was not stored when it is rebuilt', async () => {
    const it = machine()
    const stored = new Stored()
    feed(it, stored, made({ seq: 1 }), 0)
    // Judged, but its commit failed.
    feed(it, null, made({ seq: 2 }), 1)
    expect(it.isRepeat(made({ seq: 2 }), true)).toBe(true)
    await it.rebuild(stored)
    expect(it.isRepeat(made({ seq: 1 }), true)).toBe(true)
    expect(it.isRepeat(made({ seq: 2 }), true)).toBe(false)
  })

  it('tells devices and metrics apart whose names hold any character', async () => {
    const it = machine()
    const stored = new Stored()
    feed(it, stored, made({ device: 'a\nb', metric: 'c', seq: 1 }), 0)
    feed(it, stored, made({ device: 'a', metric: 'b\nc', seq: 2 }), 1)
    feed(it, stored, made({ device: '\ud800', metric: 'c', seq: 3 }), 2)
    feed(it, stored, made({ device: '\udbff', metric: 'c', seq: 4 }), 3)
    stored.commit(it, Number.POSITIVE_INFINITY)
    await it.rebuild(stored)
    expect([...it.lastReadings()].map(({ seq }) => seq).sort()).toEqual([1, 2, 3, 4])
  })

  it('starts although a record cannot be read back', async () => {
    const it = machine()
    const stored = new Stored()
    feed(it, stored, made({ seq: 1 }), 0)
    stored.lines.push('{"device":"","metric":"m","value":null}')
    feed(it, stored, made({ seq: 2 }), 2)
    await it.rebuild(stored)
    expect(it.isRepeat(made({ seq: 2 }), false)).toBe(true)
  })

  it('does not write a snapshot of a series with every reading at a trickle', () => {
    const it = machine()
    const stored = new Stored()
    let slices = 0
    for (let n = 0; n < 10_000; n++) {
      feed(it, stored, made({ seq: n }), n)
      slices += stored.commit(it, 1)
    }
    expect(slices).toBeLessThanOrEqual(1)
  })

  it.each([
    [100, 20_000],
    [2000, 20_000],
    [20_000, 80_000],
  ])('keeps replay short: %i series that take turns, about %i records', (series, replayed) => {
    const it = machine({ ...SETTINGS, dedupeWindow: 1, maxSeries: 100_000 })
    const stored = new Stored()
    let longest = 0
    for (let n = 0; n < 3 * replayed; n++) {
      it.apply(made({ device: `d${n % series}`, seq: n }), n)
      if (n % 2000 !== 1999) continue
      stored.lines.length = n + 1
      stored.commit(it, 2000)
      longest = Math.max(longest, n + 1 - stored.replayFrom)
    }
    expect(longest).toBeLessThan(replayed + 4000)
    expect(longest).toBeGreaterThan(replayed - 4000)
  })

  it('stores a bounded part at a time even when asked for all', () => {
    const it = machine({ ...SETTINGS, dedupeWindow: 1, maxSeries: 10_000 })
    for (let n = 0; n < 5000; n++) it.apply(made({ device: `d${n}`, seq: n }), n)
    const sizes: number[] = []
    for (let size = it.takeSlices(Number.POSITIVE_INFINITY).length; size > 0; ) {
      sizes.push(size)
      size = it.takeSlices(Number.POSITIVE_INFINITY).length
    }
    expect(sizes).toEqual([2000, 2000, 1000])
    expect(it.replayFrom(5000)).toBe(5000)
  })

  it('forgets the series that was silent longest when there are too many, on disk too', async () => {
    const it = machine({ ...SETTINGS, dedupeWindow: 4, maxSeries: 3 })
    const stored = new Stored()
    const say = (device: string, seq: number): boolean => feed(it, stored, made({ device, seq }), stored.lines.length)
    for (const device of ['a', 'b', 'c']) say(device, 1)
    stored.commit(it, Number.POSITIVE_INFINITY)
    // The fourth sends the queue round once; from then on whoever spoke since stays.
    say('d', 1)
    say('b', 2)
    say('c', 2)
    say('e', 1)
    stored.commit(it, Number.POSITIVE_INFINITY)
    expect(it.seriesCount).toBe(3)
    const devices = [...it.lastReadings()].map(({ device }) => device)
    expect(devices).toContain('e')
    expect(devices).not.toContain('a')
    const again = machine({ ...SETTINGS, dedupeWindow: 4, maxSeries: 3 })
    await again.rebuild(stored)
    expect(new Set([...again.lastReadings()].map(({ device }) => device))).toEqual(new Set(devices))
  })
})
