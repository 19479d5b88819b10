import { describe, expect, it } from 'vitest'
import { checkRules, RuleSet } from '../../../gateway/rules/index.ts'
import { TestEngine } from './support.ts'

const COUNT = 10_000

const named = (n: number): string => `device-${n}`

describe('10,000 rules over 10,000 devices', () => {
  // Every device has a limit of its own: device n raises above n.
  const own = Array.from({ length: COUNT }, (_, n) => ({
    id: `limit-${n}`,
    match: { device: named(n), metric: 'load' },
    above: n,
  }))

  it('hold each for its own device', () => {
    const rules = new RuleSet(checkRules({ rules: own }))
    const engine = new TestEngine(rules)
    const raised: string[] = []
    for (const value of [5000, 5001])
      for (let n = 0; n < COUNT; n++)
        for (const { device, rule, type } of engine.hear({ device: named(n), metric: 'load', value, received: 1 }))
          raised.push(`${device} ${rule} ${type}`)
    expect(raised).toEqual(Array.from({ length: 5001 }, (_, n) => `device-${n} limit-${n} tidegate.alarm.raised`))
  })

  it('can be replaced while they are at work: nobody is told of what did not change', () => {
    const engine = new TestEngine(new RuleSet(checkRules({ rules: own })))
    const known = Array.from({ length: COUNT }, (_, n) => ({
      device: named(n),
      metric: 'load',
      value: 5000,
      received: 1,
    }))
    engine.resume(0, [])
    for (const reading of known) engine.hear(reading)
    engine.kept.clear()
    // One rule is gone, one has another limit.
    const next = own.filter((_, n) => n !== 7).map((rule, n) => (n === 20 ? { ...rule, above: 9000 } : rule))
    const told = engine.useRules(new RuleSet(checkRules({ rules: next })), known, 2)
    expect(told.map(({ id, type }) => `${id} ${type}`)).toEqual(['device-7/limit-7/1/2 tidegate.alarm.removed'])
    // Stored anew is what is followed otherwise.
    expect([...engine.kept.keys()]).toEqual(['["series","device-21","load"]'])
  })
})
