import { describe, expect, it } from 'vitest'
import type { Reading, ThresholdEvent } from '../../../sync/contract/index.ts'
import { made, TestEngine } from './support.ts'

const RULES = made({
  rules: [{ id: 'hot', match: {}, above: 50, flood: { alarms: 4, within: '10s' } }],
})

const said = (events: readonly ThresholdEvent[]): string[] =>
  events
    .filter(({ type }) => type.startsWith('tidegate.flood.'))
    .map(({ type, time, transition, data }) => `${transition} ${type.slice(15)} ${time} ${data['raised']}`)

const heat = (device: string, received: number): Reading => ({ device, metric: 'm', value: 90, received })

describe('a flood of alarms', () => {
  it('is told once when it begins, and once with a summary when it is over', () => {
    const engine = new TestEngine(RULES)
    const told: ThresholdEvent[] = []
    // One alarm a second, of ten devices.
    for (let n = 0; n < 10; n++) told.push(...engine.hear(heat(`d${n}`, 1000 * (n + 1))))
    expect(said(told)).toEqual(['1 began 5000 5'])
    expect(told.filter(({ type }) => type === 'tidegate.alarm.raised')).toHaveLength(10)
    // Two are left within 10 s once that of second 8 is older.
    expect(engine.advance(17_999)).toEqual([])
    const [end] = engine.advance(18_000)
    expect(end).toMatchObject({
      id: '@gw/@flood:hot/5000/2',
      device: '@gw',
      type: 'tidegate.flood.ended',
      time: 18_000,
      data: { rule: 'hot', alarms: 4, within: 10_000, raised: 10, since: 1000 },
    })
    expect(Object.keys(end?.data['devices'] as object)).toHaveLength(6)
    expect(engine.advance(100_000)).toEqual([])
  })

  it('is none when alarms come slowly, however many', () => {
    const engine = new TestEngine(RULES)
    for (let n = 0; n < 100; n++) expect(said(engine.hear(heat(`d${n}`, 2500 * n)))).toEqual([])
  })

  it('goes on after a restart, and ends with its rule', () => {
    const engine = new TestEngine(RULES)
    for (let n = 0; n < 8; n++) engine.hear(heat(`d${n}`, 1000))
    const again = engine.again()
    again.resume(2000, [])
    expect(said(again.hear(heat('d9', 2000)))).toEqual([])
    expect(said(again.useRules(made({ rules: [] }), [], 3000))).toEqual(['2 ended 3000 9'])
  })
})
