import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reading, ThresholdEvent } from '../../../sync/contract/index.ts'
import { made, TestEngine } from './support.ts'

/** One rule of every kind, some with delays, over two metrics. */
const EVERY_KIND = made({
  lateness: '5ms',
  rules: [
    { id: 'above', match: { metric: 'a' }, above: { raise: 80, clear: 75 }, for: '20ms', clearFor: '10ms' },
    { id: 'below', match: {}, below: 20, of: { m: 2, n: 3 } },
    { id: 'outside', match: { metric: 'b' }, outside: { low: 10, high: 90, hysteresis: 5 }, reraiseAfter: '50ms' },
    { id: 'inside', match: { metric: 'b' }, inside: { low: 40, high: 50 }, latch: true },
    { id: 'ladder', match: { metric: 'a' }, ladder: { lolo: 5, lo: 15, hi: 85, hihi: 95 } },
    { id: 'rate', match: {}, rate: { rise: 2, fall: 2, per: '1ms', over: '20ms' } },
    { id: 'stuck', match: { metric: 'b' }, stuck: { after: '30ms', tolerance: 2 } },
    { id: 'missing', match: {}, missing: { after: '40ms' } },
    { id: 'deviation', match: { metric: 'a' }, deviation: { sigmas: 2, warmup: 3, weight: 0.2 } },
    {
      id: 'both',
      match: {},
      when: {
        all: [
          { metric: 'a', above: 50 },
          { metric: 'b', below: 50 },
        ],
      },
      for: '15ms',
    },
  ],
})

const readings = fc
  .array(
    fc.record({
      device: fc.constantFrom('d1', 'd2'),
      metric: fc.constantFrom('a', 'b'),
      value: fc.integer({ min: 0, max: 100 }),
      step: fc.integer({ min: 0, max: 30 }),
      late: fc.nat(8),
      quality: fc.constantFrom('good', 'good', 'bad'),
    }),
    { maxLength: 60 },
  )
  .map((all) => {
    let received = 1000
    return all.map(({ step, late, ...rest }): Reading => {
      received += step
      return { ...rest, time: received - late, received }
    })
  })

function run(
  engine: TestEngine,
  all: readonly Reading[],
  end: number | null,
  between: (i: number) => TestEngine = () => engine,
): ThresholdEvent[] {
  const events: ThresholdEvent[] = []
  let it = engine
  for (const [i, reading] of all.entries()) {
    it = between(i)
    events.push(...it.hear(reading))
  }
  if (end !== null) events.push(...it.advance(end))
  return events
}

const END = 100_000

describe('the engine', () => {
  it('decides the same however often it is told what time it is', () => {
    fc.assert(
      fc.property(readings, fc.array(fc.nat(30), { minLength: 61, maxLength: 61 }), (all, ahead) => {
        const often = new TestEngine(EVERY_KIND)
        const events: ThresholdEvent[] = []
        for (const [i, reading] of all.entries()) {
          events.push(...often.hear(reading))
          const next = all[i + 1]?.received ?? END
          for (let now = reading.received; now < next && now < reading.received + 200; now += 1 + (ahead[i] ?? 0))
            events.push(...often.advance(now))
        }
        events.push(...often.advance(END))
        expect(events).toEqual(run(new TestEngine(EVERY_KIND), all, END))
      }),
      { numRuns: 300 },
    )
  })

  it('decides the same after being stored and read back at any moment', () => {
    fc.assert(
      fc.property(readings, fc.nat(60), (all, moment) => {
        const first = new TestEngine(EVERY_KIND)
        let second: TestEngine | null = null
        const events = run(first, all, END, (i) => {
          if (i < moment) return first
          second ??= first.again()
          return second
        })
        expect(events).toEqual(run(new TestEngine(EVERY_KIND), all, END))
      }),
      { numRuns: 300 },
    )
  })

  it('numbers the transitions of every alarm 1, 2, 3, and tells of each change once', () => {
    let told = 0
    fc.assert(
      fc.property(readings, (all) => {
        const last = new Map<string, ThresholdEvent>()
        for (const event of run(new TestEngine(EVERY_KIND), all, END)) {
          const key = `${event.device}/${event.rule}`
          const before = last.get(key)
          expect(event.transition).toBe((before?.transition ?? 0) + 1)
          expect(event.id).toBe(`${key}/${event.since}/${event.transition}`)
          expect(event.since).toBe(before?.since ?? event.time)
          const { state } = event.data as { state: { before: string; after: string } }
          if (before) expect(state.before).toBe((before.data as { state: { after: string } }).state.after)
          if (event.type.endsWith('raised')) expect(['normal', 'returned', 'latched']).toContain(state.before)
          last.set(key, event)
          told++
        }
      }),
      { numRuns: 300 },
    )
    expect(told).toBeGreaterThan(1000)
  })

  it('says in an event what was crossed, by what, and what to tell people', () => {
    const engine = new TestEngine(
      made({
        rules: [
          {
            id: 'hot',
            severity: 'high',
            match: { metric: 'temp*' },
            labels: { team: 'furnace' },
            message: '{device} at {value} {unit} (limit {limit}, line {label.line}, {label.team}, {oops})',
            ladder: { hi: 80, hihi: { raise: 90, severity: 'critical' } },
          },
        ],
      }),
    )
    const reading: Reading = {
      device: 'oven 1',
      metric: 'temperature',
      value: 95,
      unit: 'Cel',
      received: 5,
      labels: { line: 'a' },
    }
    expect(engine.hear(reading)).toMatchObject([
      {
        id: 'oven 1/hot@temperature/5/1',
        device: 'oven 1',
        rule: 'hot@temperature',
        transition: 1,
        type: 'tidegate.alarm.raised',
        time: 5,
        data: {
          severity: 'critical',
          message: 'oven 1 at 95 Cel (limit 90, line a, furnace, {oops})',
          state: { before: 'normal', after: 'unacknowledged' },
          condition: { before: null, after: 'hihi' },
          limit: 90,
          reading,
        },
      },
    ])
    expect(engine.hear({ ...reading, value: 85, received: 6 })).toMatchObject([
      {
        type: 'tidegate.alarm.changed',
        data: { severity: 'high', limit: 80, condition: { before: 'hihi', after: 'hi' } },
      },
    ])
  })

  it('asks which rules hold for a series when its labels change, and forgets nothing of those that still do', () => {
    const engine = new TestEngine(
      made({
        rules: [
          { id: 'always', match: { metric: 'a' }, above: 80 },
          { id: 'line-b', match: { metric: 'a', labels: { line: 'b' } }, above: 10 },
        ],
      }),
    )
    const says = (line: string, value: number, received: number): string[] =>
      engine
        .hear({ device: 'd', metric: 'a', value, received, labels: { line } })
        .map(({ rule, type, transition }) => `${rule} ${type.split('.').at(-1)} ${transition}`)
    expect(says('a', 90, 1)).toEqual(['always raised 1'])
    expect(says('b', 91, 2)).toEqual(['line-b raised 1'])
    expect(says('b', 50, 3)).toEqual(['always cleared 2'])
  })

  it('does not go back in time with the clock', () => {
    const engine = new TestEngine(made({ rules: [{ id: 'missing', match: {}, missing: { after: '10s' } }] }))
    expect(engine.hear({ device: 'd', metric: 'a', value: 1, received: 50_000 })).toEqual([])
    expect(engine.advance(1000)).toEqual([])
    expect(engine.hear({ device: 'd', metric: 'a', value: 1, received: 2000 })).toEqual([])
    expect(engine.advance(59_999)).toEqual([])
    expect(engine.advance(60_000)).toHaveLength(1)
  })

  const said = (value: number, time: number, received: number): Reading => ({
    device: 'd',
    metric: 'm',
    value,
    time,
    received,
  })
  const words = (events: readonly ThresholdEvent[]): string[] =>
    events.map(({ type, time }) => `${type.split('.').at(-1)} ${time}`)

  it('takes no reading for measured after it was heard: a device whose clock was ahead is not blind afterwards', () => {
    const engine = new TestEngine(made({ rules: [{ id: 'r', match: {}, above: { raise: 80, clear: 75 } }] }))
    expect(words(engine.hear(said(20, 3_600_000, 10)))).toEqual([])
    expect(words(engine.hear(said(90, 20, 20)))).toEqual(['raised 20'])
  })

  it('ends no delay while a reading that contradicts it may still come', () => {
    const engine = new TestEngine(made({ lateness: '10ms', rules: [{ id: 'r', match: {}, above: 80, for: '5ms' }] }))
    expect(words([...engine.hear(said(81, 0, 0)), ...engine.hear(said(70, 3, 3)), ...engine.advance(100)])).toEqual([])
  })

  it('does not take a single reading of a silent device for its return', () => {
    const engine = new TestEngine(
      made({ rules: [{ id: 'r', match: {}, missing: { after: '60ms' }, clearFor: '100ms' }] }),
    )
    const events = [...engine.hear(said(1, 0, 0)), ...engine.hear(said(1, 200, 200)), ...engine.advance(400)]
    expect(words(events)).toEqual(['raised 60'])
  })

  it('names the newest reading as the one before something that time caused', () => {
    const engine = new TestEngine(made({ lateness: '5ms', rules: [{ id: 'r', match: {}, missing: { after: '5ms' } }] }))
    const [raised] = [...engine.hear(said(1, 0, 0)), ...engine.hear(said(2, 0, 0)), ...engine.advance(5)]
    expect(raised?.data).toMatchObject({ reading: { value: 2 } })
  })

  it('waits as long as ever while the clock, which was set back, has not caught up', () => {
    const engine = new TestEngine(
      made({
        rules: [
          { id: 'missing', match: {}, missing: { after: '10s' } },
          { id: 'held', match: {}, above: 5, for: '10s' },
        ],
      }),
    )
    engine.advance(50_000)
    expect(engine.hear({ device: 'd', metric: 'a', value: 9, received: 2000 })).toEqual([])
    expect(engine.advance(59_999)).toEqual([])
    expect(engine.advance(60_000).map(({ rule, time }) => [rule, time])).toEqual([
      ['missing@a', 60_000],
      ['held@a', 60_000],
    ])
    // What comes now is not late, although the clock says less than before.
    expect(engine.hear({ device: 'd', metric: 'a', value: 1, received: 2001 }).map(({ type }) => type)).toEqual([
      'tidegate.alarm.cleared',
      'tidegate.alarm.cleared',
    ])
  })

  it('gives no two events the same id, whatever devices and rules are called', () => {
    const engine = new TestEngine(
      made({
        rules: [
          { id: 'c', match: { device: 'a/b', metric: 'm' }, above: 0 },
          { id: 'b/c', match: { device: 'a', metric: 'm' }, above: 0 },
        ],
      }),
    )
    const ids = ['a', 'a/b']
      .flatMap((device) => engine.hear({ device, metric: 'm', value: 1, received: 7 }))
      .map(({ id }) => id)
    expect(ids).toEqual(['a/b%2Fc/7/1', 'a%2Fb/c/7/1'])
  })

  it('decides nothing of a rule that is not enabled', () => {
    const engine = new TestEngine(made({ rules: [{ id: 'off', enabled: false, match: {}, above: 0 }] }))
    expect(engine.hear({ device: 'd', metric: 'a', value: 1, received: 1 })).toEqual([])
  })
})
