import { describe, expect, it } from 'vitest'
import { holds, metricsOf } from '../../../../gateway/rules/condition/when.ts'
import type { Test } from '../../../../gateway/rules/rule.ts'

const hot: Test = { metric: 'temperature', above: { raise: 80, clear: 75 } }
const slow: Test = { metric: 'speed', below: { raise: 10, clear: 12 } }
const running: Test = { metric: 'state', is: 'running' }

describe('a test over several metrics', () => {
  it('combines them', () => {
    const test: Test = { all: [running, { any: [hot, slow] }] }
    expect(metricsOf(test)).toEqual(['state', 'temperature', 'speed'])
    expect(holds(test, { state: 'running', temperature: 81, speed: 50 }, false)).toBe(true)
    expect(holds(test, { state: 'running', temperature: 50, speed: 9 }, false)).toBe(true)
    expect(holds(test, { state: 'stopped', temperature: 81, speed: 9 }, false)).toBe(false)
    expect(holds({ not: hot }, { temperature: 50 }, false)).toBe(true)
  })

  it('leaves limits at their clear level once it holds, those under a `not` too', () => {
    expect([76, 75].map((temperature) => holds(hot, { temperature }, true))).toEqual([true, false])
    expect([81, 80, 76, 75].map((temperature) => holds({ not: hot }, { temperature }, false))).toEqual([
      false,
      false,
      false,
      true,
    ])
    expect([81, 80, 76, 75].map((temperature) => holds({ not: hot }, { temperature }, true))).toEqual([
      false,
      true,
      true,
      true,
    ])
  })

  it('does not hold as long as it depends on a metric that was never heard of', () => {
    expect(holds({ not: hot }, {}, false)).toBe(false)
    expect(holds({ all: [running, hot] }, { state: 'running' }, false)).toBe(false)
    expect(holds({ any: [running, hot] }, { state: 'running' }, false)).toBe(true)
    expect(holds({ not: { all: [running, hot] } }, { state: 'stopped' }, false)).toBe(true)
    expect(holds(hot, { temperature: 'hot' }, false)).toBe(false)
    expect(holds({ metric: 'toString', is: 1 }, {}, false)).toBe(false)
  })
})
