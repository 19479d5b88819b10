import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ruleSetRevision, ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import { encodeLine, type Millis, type Reading, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { Stored } from './stored.ts'

const RUNS = Number(process.env['TEST_SEEDS'] ?? 20) * 10

const settings = (gateway: string, maxSeries = 1000) => ({ dedupeWindow: 8, maxSeries, gateway })

const made = (extra: Partial<Reading>): Reading => ({ device: 'd', metric: 'a', value: 0, received: 0, ...extra })

const RULES = {
  rules: [
    { id: 'hot', match: { metric: 'a' }, above: { raise: 70, clear: 60 }, for: '20ms', clearFor: '10ms' },
    { id: 'steps', match: {}, ladder: { lo: 20, hi: 80, hihi: 90 } },
    { id: 'unusual', match: { metric: 'b' }, deviation: { sigmas: 2, warmup: 3 } },
    { id: 'often', match: { device: 'd1' }, above: 50, of: { m: 2, n: 3 }, reraiseAfter: '30ms' },
    { id: 'lasting', match: { metric: 'a' }, above: 85, latch: true },
    {
      id: 'both',
      match: {},
      when: {
        all: [
          { metric: 'a', above: 50 },
          { metric: 'b', above: 50 },
        ],
      },
      for: '5ms',
    },
  ],
}
const MISSING = { rules: [...RULES.rules, { id: 'silent', match: {}, missing: { after: '60ms' } }] }

/** A gateway that never dies: its machine, its lanes, and how far the other one has taken them in. */
class Site {
  readonly name: string
  readonly origin: string
  readonly machine: StateMachine
  readonly readings: Reading[] = []
  readonly events: ThresholdEvent[] = []
  heard = 0
  heeded = 0

  constructor(name: string, rules: unknown, now: Millis = 1000, maxSeries?: number) {
    this.name = name
    this.origin = `${name}/1`
    this.machine = new StateMachine(settings(name, maxSeries))
    this.machine.resume(now)
    this.machine.changeRules('file', rules, ruleSetSchema.parse(rules), now)
  }

  /** @returns whether it was new */
  take(reading: Reading): boolean {
    if (this.machine.isRepeat(reading, false)) return false
    const life = this.machine.lifeOf(reading)
    if (life > 1) reading.life = life
    this.tell(this.machine.apply(reading, this.readings.length))
    this.readings.push(reading)
    return true
  }

  tick(now: Millis): void {
    this.tell(this.machine.advance(now))
  }

  tell(events: readonly ThresholdEvent[]): void {
    this.events.push(...events)
  }

  /** Takes in one record of the other's readings or events. */
  follow(other: Site, lane: 'readings' | 'events'): boolean {
    if (lane === 'readings') {
      const reading = other.readings[other.heard]
      if (!reading) return false
      this.machine.hear(other.origin, reading, other.heard++)
      return true
    }
    const event = other.events[other.heeded]
    if (!event) return false
    this.tell(this.machine.heed(other.origin, event, other.heeded++))
    return true
  }

  /** All of them, the first lane first. */
  catchUp(other: Site, first: 'readings' | 'events' = 'readings'): void {
    while (this.follow(other, first) || this.follow(other, 'readings') || this.follow(other, 'events'));
  }

  alarm(name: string, device = 'd') {
    for (const { alarm, last } of this.machine.alarms())
      if (alarm.name === name && last.device === device) return { follows: alarm.follows, ...alarm.toJSON() }
    return undefined
  }
}

const pair = (rules: unknown): [Site, Site] => [new Site('gw-a', rules), new Site('gw-b', rules)]

const reference = (given: unknown): string => ruleSetRevision(ruleSetSchema.parse(given))

const names = (events: readonly ThresholdEvent[]) =>
  events.map(({ rule, transition, type }) => `${rule} ${transition} ${type.split('.').at(-1)}`)

const above = (extra: object = {}) => ({ rules: [{ id: 'hot', match: { metric: 'a' }, above: 70, ...extra }] })

describe('a device that moves', () => {
  it('is known by what it said elsewhere', () => {
    const [a, b] = pair(above())
    for (const seq of [1, 2, 3]) a.take(made({ seq, received: 1000 + seq }))
    b.catchUp(a)
    expect(b.take(made({ seq: 3, received: 1010 }))).toBe(false)
    expect(b.take(made({ seq: 4, received: 1011 }))).toBe(true)
    expect(b.machine.hear(a.origin, made({ seq: 4, received: 1012 }), 3)).toBe(true)
  })

  it('keeps the time that a condition has held already', () => {
    const [a, b] = pair(above({ for: '10s' }))
    a.take(made({ value: 80, received: 2000 }))
    b.catchUp(a)
    b.take(made({ value: 81, received: 9000 }))
    b.tick(11_999)
    expect(b.events).toEqual([])
    b.tick(12_000)
    expect(b.events).toMatchObject([{ transition: 1, since: 12_000, time: 12_000 }])
  })

  it('goes on in the numbers of its alarm, here and there', () => {
    const [a, b] = pair(above())
    a.take(made({ value: 80, received: 2000 }))
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ follows: true, transition: 1, since: 2000 })
    b.take(made({ value: 10, received: 3000 }))
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: true, transition: 2, since: 2000 })
    a.take(made({ value: 90, received: 4000 }))
    expect(names([...a.events, ...b.events].filter(({ device }) => device === 'd'))).toEqual([
      'hot 1 raised',
      'hot 3 raised',
      'hot 2 cleared',
    ])
  })

  it('is told of what was shown there and told by nobody, under the names that it would have had', () => {
    const [a, b] = pair(above())
    for (const [i, value] of [80, 10, 90].entries()) a.take(made({ value, received: 2000 + i }))
    while (b.follow(a, 'readings'));
    b.follow(a, 'events')
    b.follow(a, 'events')
    expect(b.alarm('hot')).toMatchObject({ transition: 2, untold: [{ to: 'high' }] })
    b.take(made({ value: 91, received: 3000 }))
    expect(b.events).toEqual(a.events.slice(2))
  })

  it('is not told of twice when its events come before its readings', () => {
    const [a, b] = pair(above())
    a.take(made({ value: 1, received: 1999 }))
    b.catchUp(a)
    for (const [i, value] of [80, 10, 90, 20].entries()) a.take(made({ value, received: 2000 + i }))
    b.catchUp(a, 'events')
    b.take(made({ value: 20, received: 3000 }))
    expect(b.events).toEqual([])
    expect(b.alarm('hot')).toMatchObject({ transition: 4 })
  })

  it('is missed only where it was last', () => {
    const [a, b] = pair({ rules: [{ id: 'silent', match: { metric: 'a' }, missing: { after: '10s' } }] })
    a.take(made({ received: 2000 }))
    b.catchUp(a)
    b.tick(20_000)
    expect(b.events).toEqual([])
    a.tick(20_000)
    expect(names(a.events)).toEqual(['silent 1 raised'])
    b.catchUp(a)
    b.take(made({ received: 30_000 }))
    expect(names(b.events)).toEqual(['silent 2 cleared'])
    a.catchUp(b)
    a.tick(100_000)
    expect(a.events).toHaveLength(1)
    b.tick(100_000)
    expect(b.events.at(-1)).toMatchObject({ transition: 3, time: 40_000 })
  })

  it('stays where it is when an earlier word of it comes late', () => {
    const [a, b] = pair(above())
    a.take(made({ metric: 'a', value: 80, received: 2000 }))
    b.take(made({ metric: 'a', value: 10, received: 3000 }))
    b.catchUp(a)
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: true })
    expect(b.alarm('hot')).toMatchObject({ follows: false })
  })
})

describe('a device that begins to count anew', () => {
  /** The clock of `b` is an hour behind. */
  const BEHIND = 3_600_000
  const said = (life: number, seq: number, value: number, received: number) =>
    made({ session: `life-${life}`, seq, value, received })

  it('is where it is now, though what it said before comes late, from a clock that is ahead', () => {
    const [a, b] = pair(above())
    b.take(said(1, 0, 10, 4_000_000 - BEHIND))
    a.catchUp(b)
    for (const [seq, value] of [10, 80, 10].entries()) a.take(said(1, 1 + seq, value, 4_000_001 + seq))
    b.take(said(2, 0, 90, 4_000_010 - BEHIND))
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ follows: false, timing: { counts: 'high' } })
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: true, timing: { counts: 'high' } })
  })

  it('moves at the same moment, to a gateway whose clock is behind', () => {
    const [a, b] = pair(above())
    a.take(said(1, 7, 80, 4_000_000))
    b.catchUp(a)
    b.take(said(2, 0, 10, 4_000_001 - BEHIND))
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: true, transition: 2, life: { condition: null } })
    expect(b.alarm('hot')).toMatchObject({ follows: false, transition: 2, life: { condition: null } })
  })

  it('moves without a session', () => {
    const [a, b] = pair(above())
    a.take(made({ seq: 700, value: 80, received: 4_000_000 }))
    b.catchUp(a)
    b.take(made({ seq: 0, value: 10, received: 4_000_001 - BEHIND }))
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: true, transition: 2 })
    a.take(made({ seq: 1, value: 90, received: 4_000_002 }))
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ follows: true, transition: 3 })
  })

  it('is known again with its next word, when neither had heard the other', () => {
    const [a, b] = pair(above())
    a.take(said(1, 0, 10, 4_000_000))
    b.catchUp(a)
    // Two starts there, one here: by their number alone the one here came first.
    a.take(said(2, 0, 10, 4_000_001))
    a.take(said(3, 0, 80, 4_000_002))
    b.take(said(4, 0, 10, 4_000_003 - BEHIND))
    b.catchUp(a)
    a.catchUp(b)
    b.take(said(4, 1, 10, 4_000_004 - BEHIND))
    a.catchUp(b)
    b.catchUp(a)
    expect(a.alarm('hot')).toMatchObject({ follows: true, timing: { counts: null } })
    expect(b.alarm('hot')).toMatchObject({ follows: false, timing: { counts: null } })
  })
})

describe('an alarm that was cleared by a clock that is ahead', () => {
  it.each([
    [0, 0],
    [50, 50],
  ])('is raised here as soon as it may be again: after %i ms', (reraiseAfter, wait) => {
    const [a, b] = pair(above({ reraiseAfter: `${reraiseAfter}ms` }))
    // Its clock was ahead, and has been set back: it says 9000 where here it is 3000.
    a.tick(20_000)
    a.take(made({ time: 8000, value: 80, received: 3000 }))
    a.take(made({ time: 9000, value: 10, received: 3001 }))
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ transition: 2, timing: { cleared: 9000 } })
    b.take(made({ time: 9001, value: 90, received: 3002 }))
    b.tick(3002 + wait - 1)
    expect(names(b.events)).toEqual(wait === 0 ? ['hot 3 raised'] : [])
    b.tick(3002 + wait)
    expect(names(b.events)).toEqual(['hot 3 raised'])
  })
})

describe('a peer that is silent', () => {
  const rules = { rules: [{ id: 'silent', match: { metric: 'a' }, missing: { after: '10s' } }, ...above().rules] }

  it('is stood in for: its devices are missed here, counted from then on', () => {
    const [a, b] = pair(rules)
    a.take(made({ received: 2000 }))
    b.catchUp(a)
    b.machine.adopt(a.origin, 50_000)
    b.tick(59_999)
    expect(b.events).toEqual([])
    b.tick(60_000)
    expect(names(b.events)).toEqual(['silent 1 raised'])
  })

  it('is told for, if it did not come to it', () => {
    const [a, b] = pair(rules)
    a.take(made({ value: 80, received: 2000 }))
    b.follow(a, 'readings')
    b.machine.adopt(a.origin, 3000)
    expect(b.machine.nextDue).toBe(3000)
    b.tick(3000)
    expect(b.events).toEqual(a.events)
    b.machine.hear(a.origin, made({ value: 10, received: 2001 }), 1)
    b.tick(3001)
    expect(names(b.events)).toEqual(['hot 1 raised', 'hot 2 cleared'])
  })

  it('is told for as it told itself, of alarms that its lanes say nothing of', () => {
    const [a, b] = pair(rules)
    a.take(made({ value: 80, received: 2000 }))
    a.take(made({ value: 81, received: 2001 }))
    // What it has told of the alarm is not there any more: it was told by a life of this gateway whose disk is gone, for one.
    a.heard = 1
    a.heeded = a.events.length
    b.catchUp(a)
    for (const series of a.machine.known()) b.machine.learn(a.origin, series)
    a.take(made({ value: 10, received: 2002 }))
    b.follow(a, 'readings')
    b.machine.adopt(a.origin, 3000)
    b.tick(3000)
    expect(names(b.events)).toEqual(['hot 2 cleared'])
    b.machine.hear(a.origin, made({ value: 82, received: 3001 }), 4)
    b.tick(3002)
    expect(names(b.events)).toEqual(['hot 2 cleared', 'hot 3 raised'])
    expect(new Set([...a.events, ...b.events].map(({ since }) => since)).size).toBe(1)
  })

  it('decides again when it is back', () => {
    const [a, b] = pair(rules)
    a.take(made({ received: 2000 }))
    b.catchUp(a)
    b.machine.adopt(a.origin, 3000)
    b.machine.handBack(a.origin)
    b.tick(100_000)
    expect(b.events).toEqual([])
    a.take(made({ value: 80, received: 100_001 }))
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ follows: true, transition: 1 })
  })
})

describe('people', () => {
  it('may acknowledge at whichever gateway they reach', () => {
    const [a, b] = pair(above())
    a.take(made({ value: 80, received: 2000 }))
    b.catchUp(a)
    b.tell(b.machine.act('d', 'hot', { kind: 'acknowledge' }, 2500, { by: 'somebody', comment: null }).events)
    a.catchUp(b)
    expect(a.alarm('hot')).toMatchObject({ follows: false, transition: 2, life: { acknowledged: true } })
    a.take(made({ value: 10, received: 3000 }))
    expect(a.events.at(-1)).toMatchObject({
      transition: 3,
      data: { state: { before: 'acknowledged', after: 'normal' } },
    })
  })

  it('shelve an alarm at one gateway, and it comes back at the other', () => {
    const [a, b] = pair(above())
    a.take(made({ value: 80, received: 2000 }))
    const note = { by: 'somebody', comment: null, until: 9000 }
    a.tell(a.machine.act('d', 'hot', { kind: 'shelve', until: 9000 }, 2500, note).events)
    b.catchUp(a)
    b.take(made({ value: 10, received: 3000 }))
    b.tick(9000)
    expect(b.events).toMatchObject([{ transition: 3, time: 9000, data: { state: { after: 'returned' } } }])
  })
})

describe('an alarm that forked', () => {
  it('follows what holds, and tells what has become of it since', () => {
    const [a, b] = pair(above())
    a.take(made({ value: 80, received: 2000 }))
    b.catchUp(a)
    b.tell(b.machine.act('d', 'hot', { kind: 'acknowledge' }, 2500, { by: null, comment: null }).events)
    a.take(made({ value: 10, received: 2600 }))
    const [acknowledged] = b.events
    if (!acknowledged) throw new Error('nothing was acknowledged')
    const events = a.machine.settle(acknowledged, 2700)
    expect(names(events)).toEqual(['hot 3 cleared'])
    expect(a.alarm('hot')).toMatchObject({ transition: 3, life: { condition: null, acknowledged: true } })
    // What holds on the other side is what it told itself.
    expect(b.machine.settle(acknowledged, 2700)).toEqual([])
    a.tell(events)
    b.catchUp(a)
    expect(b.alarm('hot')).toMatchObject({ transition: 3, life: { condition: null, acknowledged: true } })
  })
})

describe('what a peer hears of', () => {
  it('makes no series be forgotten before that can be told', () => {
    const rules = above()
    const b = new Site('gw-b', rules, 1000, 2)
    const a = new Site('gw-a', rules)
    b.take(made({ device: 'own', value: 80, received: 2000 }))
    for (const device of ['x', 'y']) a.take(made({ device, received: 2001 }))
    for (let n = 0; n < 2; n++) b.follow(a, 'readings')
    expect(b.machine.seriesCount).toBe(3)
    expect(b.machine.nextDue).toBe(0)
    b.tick(2002)
    expect(b.machine.seriesCount).toBe(2)
    expect(names(b.events)).toEqual(['hot 1 raised', 'hot 2 removed'])
  })

  it('is not what the gateway itself has to tell', () => {
    const [a, b] = pair(above())
    const given = above({ latch: true })
    a.tell(a.machine.changeRules('file', given, ruleSetSchema.parse(given), 2000))
    expect(a.events).toHaveLength(1)
    b.catchUp(a)
    expect(b.events).toEqual([])
  })

  it('does not move the own clock', () => {
    const [a, b] = pair({ rules: [{ id: 'silent', match: { metric: 'a' }, missing: { after: '10s' } }] })
    b.take(made({ device: 'own', received: 2000 }))
    a.take(made({ received: 500_000 }))
    b.catchUp(a)
    b.tick(11_999)
    expect(b.events).toEqual([])
    b.tick(12_000)
    expect(names(b.events)).toEqual(['silent 1 raised'])
    // Nor does what was heard by the clock of the peer count when the device is here.
    b.take(made({ received: 13_000 }))
    b.tick(23_000)
    expect(names(b.events)).toEqual(['silent 1 raised', 'silent 1 raised'])
  })
})

describe('rule sets of two gateways', () => {
  const set = (raise: number) => ({ rules: [{ id: 'hot', match: { metric: 'a' }, above: raise }] })

  it('become the same, in whatever order they hear of them', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({
              who: fc.nat(1),
              name: fc.constantFrom('file', 'api'),
              raise: fc.constantFrom(0, 50, 60, 70),
              wait: fc.nat(2),
            }),
            fc.record({ who: fc.nat(1), wait: fc.nat(2) }),
          ),
          { maxLength: 30 },
        ),
        fc.boolean(),
        (steps, swap) => {
          const machines = ['gw-a', 'gw-b'].map((name) => new StateMachine(settings(name)))
          const [a, b] = machines
          if (!a || !b) throw new Error('two')
          let now = 1000
          const merge = (to: StateMachine, from: StateMachine): void => {
            to.mergeRules(new Map(JSON.parse(JSON.stringify([...from.ruleSets]))), now)
          }
          for (const one of steps) {
            // The clock of one is behind.
            now += one.wait
            const [to, from] = one.who === 0 ? [a, b] : [b, a]
            if (!('name' in one)) merge(to, from)
            else {
              // 0: a set that was emptied.
              const given = one.raise === 0 ? { rules: [] } : set(one.raise)
              to.changeRules(one.name, given, ruleSetSchema.parse(given), one.who === 0 ? now : now - 20)
              const mine = to.ruleSets.get(one.name)?.revision
              // The last change counts here at once, whatever came from the other one before.
              if (one.raise !== 0) expect(mine).toBe(reference(given))
            }
          }
          for (const [to, from] of swap
            ? ([
                [a, b],
                [b, a],
              ] as const)
            : ([
                [b, a],
                [a, b],
              ] as const))
            merge(to, from)
          expect(new Map(a.ruleSets)).toEqual(new Map(b.ruleSets))
          expect(a.rules.revision).toBe(b.rules.revision)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('are told of where they come to hold', () => {
    const [a, b] = pair(set(70))
    const given = set(50)
    a.take(made({ value: 60, received: 1500 }))
    b.catchUp(a)
    a.machine.changeRules('file', given, ruleSetSchema.parse(given), 2000)
    expect(b.machine.mergeRules(a.machine.ruleSets, 2100)).toMatchObject([
      { device: '@gw-b', rule: '@rules', transition: 2, time: 2100, data: { set: 'file' } },
    ])
    expect(b.machine.ruleSets.get('file')?.since).toBe(2000)
    expect(b.machine.mergeRules(a.machine.ruleSets, 2200)).toEqual([])
    expect(b.alarm('hot')).toMatchObject({ follows: true })
  })

  it('may name a rule twice: the first set has it', () => {
    const [a] = pair(set(70))
    const given = set(50)
    a.machine.mergeRules(new Map([['z', { given, revision: 'r', since: 1 }]]), 2000)
    expect(a.machine.rules.ids).toEqual(['hot'])
    a.take(made({ value: 60, received: 3000 }))
    expect(a.events).toEqual([])
  })
})

const anyReading = fc.record({
  device: fc.constantFrom('d1', 'd2'),
  metric: fc.constantFrom('a', 'b'),
  value: fc.integer({ min: 0, max: 100 }),
  late: fc.nat(8),
})

/** Everything that can be seen of a machine. */
const seen = (machine: StateMachine) => ({
  alarms: [...machine.alarms()]
    .map(({ alarm, last }) => JSON.stringify([last.device, alarm.name, alarm.follows, alarm]))
    .sort(),
  last: new Set(machine.lastReadings()),
})

describe('two gateways', () => {
  it('tell together what one would have told, if each knows everything before a device moves', () => {
    let told = 0
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            reading: anyReading,
            wait: fc.nat(25),
            moves: fc.nat(5).map((n) => n === 0),
            ticks: fc.boolean(),
            order: fc.array(fc.constantFrom('readings', 'events'), { maxLength: 6 }),
          }),
          { maxLength: 80, size: 'max' },
        ),
        (steps) => {
          const [a, b] = pair(RULES)
          const one = new Site('gw-a', RULES)
          const at = new Map<string, Site>()
          let now = 1000
          const exchange = (order: readonly ('readings' | 'events')[]): void => {
            for (const lane of order)
              for (const [to, from] of [
                [a, b],
                [b, a],
              ] as const)
                to.follow(from, lane)
            for (const [to, from] of [
              [a, b],
              [b, a],
            ] as const)
              to.catchUp(from, order[0])
          }
          // What is told of a device before it is heard of is lost.
          for (const device of ['d1', 'd2'])
            for (const metric of ['a', 'b'])
              for (const site of [one, a]) site.take(made({ device, metric, value: 30, time: now, received: now }))
          exchange([])
          for (const {
            reading: { late: _late, ...rest },
            wait,
            moves,
            ticks,
            order,
          } of steps) {
            // Whose a device is that spoke to both within a millisecond is found out with its next word.
            now += moves ? wait + 1 : wait
            const home = at.get(rest.device) ?? a
            if (ticks) {
              exchange(order)
              for (const site of [a, b, one]) site.tick(now)
            }
            if (moves) exchange(order)
            const to = moves ? (home === a ? b : a) : home
            // In the order in which they were measured: what comes late at one gateway may be taken for the older word, see ADR 16.
            const reading = made({ ...rest, time: now, received: now })
            one.take(reading)
            // Who only says again what it has said elsewhere has not moved yet.
            if (to.take(reading)) at.set(rest.device, to)
            if (moves) exchange(order)
          }
          exchange([])
          for (const site of [a, b, one]) site.tick(now + 1000)
          exchange([])
          const byName = (events: readonly ThresholdEvent[]) => events.map((event) => JSON.stringify(event)).sort()
          expect(byName([...a.events, ...b.events])).toEqual(byName(one.events))
          told += one.events.length
        },
      ),
      { numRuns: RUNS },
    )
    expect(told).toBeGreaterThan(RUNS * 5)
  })
})

type Step =
  | { kind: 'reading'; there: boolean; reading: { device: string; metric: string; value: number; late: Millis } }
  | { kind: 'again'; there: boolean; back: number }
  | { kind: 'tick' | 'stand in' | 'hand back' | 'crash' }
  | {
      kind: 'act'
      there: boolean
      device: string
      alarm: string
      action: 'acknowledge' | 'shelve' | 'reset' | 'unshelve'
    }
  | { kind: 'rules'; which: number }
  | { kind: 'follow'; lane: 'readings' | 'events'; count: number }
  | { kind: 'followed' }
  | { kind: 'commit'; records: number }

const constant = <K extends Step['kind']>(kind: K) => fc.constant({ kind })

const anyStep = fc.tuple(
  fc.nat(20),
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant('reading' as const), there: fc.boolean(), reading: anyReading }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('again' as const), there: fc.boolean(), back: fc.nat(4) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('follow' as const),
        lane: fc.constantFrom('readings' as const, 'readings' as const, 'events' as const),
        count: fc.nat(6),
      }),
    },
    { weight: 3, arbitrary: constant('followed') },
    { weight: 3, arbitrary: constant('tick') },
    { weight: 1, arbitrary: constant('stand in') },
    { weight: 1, arbitrary: constant('hand back') },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('act' as const),
        there: fc.boolean(),
        device: fc.constantFrom('d1', 'd2'),
        alarm: fc.constantFrom('hot', 'steps@a', 'steps@b', 'lasting', 'both', 'silent@a'),
        action: fc.constantFrom('acknowledge' as const, 'shelve' as const, 'reset' as const, 'unshelve' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rules' as const), which: fc.nat(2) }) },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('commit' as const), records: fc.constantFrom(0, 1, 4, 10_000) }),
    },
    { weight: 1, arbitrary: constant('crash') },
  ),
)

const RULE_SETS = [RULES, MISSING, { ...MISSING, lateness: '10ms' }]

const act = (machine: StateMachine, one: Step & { kind: 'act' }, now: Millis): readonly ThresholdEvent[] => {
  const action = one.action === 'shelve' ? { kind: one.action, until: now + 50 } : { kind: one.action }
  return machine.act(one.device, one.alarm, action, now, { by: 'somebody', comment: null }).events
}

describe('what was heard', () => {
  it('is as it was when the gateway dies, whatever was stored of it when', async () => {
    let [told, heard] = [0, 0]
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 150, size: 'max' }), async (steps) => {
        const peer = new Site('gw-a', MISSING)
        const stored = new Stored()
        const replica: string[] = []
        stored.replicas.set(peer.origin, replica)
        const steady = new Site('gw-b', { rules: [] })
        const durable: ThresholdEvent[] = []
        /** What the peer has of this one. */
        const here = new Site('gw-b', { rules: [] })
        let machine = new StateMachine(settings('gw-b'))
        machine.resume(1000)
        let now = 1000
        let next = 0
        let hears = 0
        let heeds = 0
        let heeded = 0
        interface Done {
          perform: (machine: StateMachine) => readonly ThresholdEvent[]
          events: readonly ThresholdEvent[]
          own?: Reading
          peers?: Reading
        }
        let uncommitted: Done[] = []
        const perform = (how: Done['perform'], extra: Partial<Done> = {}): void => {
          uncommitted.push({ perform: how, events: how(machine), ...extra })
        }
        const say = (there: boolean, reading: Reading): void => {
          if (there) peer.take(reading)
          else if (!machine.isRepeat(reading, false)) {
            const offset = next++
            perform((it) => it.apply(reading, offset), { own: reading })
          }
        }
        const crash = async (): Promise<void> => {
          uncommitted = []
          ;[next, hears, heeds] = [stored.lines.length, replica.length, heeded]
          machine = new StateMachine(settings('gw-b'))
          await machine.rebuild(stored)
          machine.resume(now)
          steady.machine.handBack(peer.origin)
          steady.machine.resume(now)
        }
        const useRules = (which: number): void => {
          const given = RULE_SETS[which] ?? RULES
          const at = now
          perform((it) => it.changeRules('file', given, ruleSetSchema.parse(given), at))
        }
        const commit = (records: number): void => {
          for (const { perform: how, events, own, peers } of uncommitted) {
            if (own) {
              stored.lines.push(encodeLine(own))
              here.readings.push(own)
            }
            if (peers) replica.push(encodeLine(peers))
            durable.push(...events)
            here.tell(events)
            steady.tell(how(steady.machine))
          }
          uncommitted = []
          heeded = heeds
          stored.commit(machine, records)
        }
        const said: Reading[] = []
        useRules(1)
        // Who has a peer has heard of it: what the clock lets go is stored from then on.
        peer.take(made({ device: 'd0', time: now, received: now }))
        for (const [wait, one] of [[0, { kind: 'follow', lane: 'readings', count: 1 }] as const, ...steps]) {
          now += wait
          const at = now
          if (one.kind === 'reading') {
            const { late, ...rest } = one.reading
            const reading = made({ ...rest, time: now - late, received: now })
            said.push(reading)
            say(one.there, reading)
          } else if (one.kind === 'again') {
            const again = said.at(-1 - one.back)
            if (again) say(one.there, { ...again, received: now })
          } else if (one.kind === 'tick') {
            peer.tick(now)
            perform((it) => it.advance(at))
          } else if (one.kind === 'act') {
            if (one.there) peer.tell(act(peer.machine, one, now))
            else perform((it) => act(it, one, at))
          } else if (one.kind === 'stand in')
            perform((it) => {
              it.adopt(peer.origin, at)
              return []
            })
          else if (one.kind === 'hand back')
            perform((it) => {
              it.handBack(peer.origin)
              return []
            })
          else if (one.kind === 'rules') useRules(one.which)
          else if (one.kind === 'followed') peer.catchUp(here)
          else if (one.kind === 'commit') commit(one.records)
          else if (one.kind === 'crash') await crash()
          else if (one.lane === 'readings')
            for (const reading of peer.readings.slice(hears, hears + one.count)) {
              const offset = hears++
              heard++
              let repeat: boolean | undefined
              perform(
                (it) => {
                  const isRepeat = it.hear(peer.origin, reading, offset)
                  repeat ??= isRepeat
                  expect(isRepeat).toBe(repeat)
                  return []
                },
                { peers: reading },
              )
            }
          else
            for (const event of peer.events.slice(heeds, heeds + one.count)) {
              const offset = heeds++
              perform((it) => it.heed(peer.origin, event, offset))
            }
        }
        commit(1)
        await crash()
        expect(durable).toEqual(steady.events)
        // What waits for those that are late is looked at: nothing says until when it was, where nothing came of it.
        for (const it of [machine, steady.machine]) it.adopt(peer.origin, now)
        expect(machine.advance(now + 1000)).toEqual(steady.machine.advance(now + 1000))
        expect(seen(machine)).toEqual(seen(steady.machine))
        told += durable.length
      }),
      { numRuns: RUNS },
    )
    expect(told).toBeGreaterThan(RUNS * 5)
    expect(heard).toBeGreaterThan(RUNS * 5)
  })
})

/** The chains of the centre: the first who comes with a number has it. */
class Centre {
  readonly #series = new Map<string, ThresholdEvent[]>()

  /** Takes what a gateway has told, from `next` on. @returns how far it came: what comes behind a number that is missing waits */
  take(site: Site, next: number, now: Millis): number {
    for (let i = next; ; i++) {
      const event = site.events[i]
      if (!event) return i
      const name = `${event.device}/${event.rule}/${event.since}`
      const series = this.#series.get(name) ?? []
      this.#series.set(name, series)
      const taken = series[event.transition - 1]
      const last = series.at(-1)
      if (taken && last) {
        if (JSON.stringify(taken) !== JSON.stringify(event)) site.tell(site.machine.settle(last, now))
      } else if (event.transition === series.length + 1) series.push(event)
      else return i
    }
  }

  last(device: string, rule: string, since: Millis): ThresholdEvent | undefined {
    return this.#series.get(`${device}/${rule}/${since}`)?.at(-1)
  }
}

/** How devices tell the order of their readings. */
interface Voice {
  word(reading: Omit<Reading, 'received'>, late: Millis): Omit<Reading, 'received'>
  beginAnew(): void
}

const timed = (now: () => Millis): Voice => ({
  word: (reading, late) => ({ ...reading, time: now() - late }),
  beginAnew: () => undefined,
})

/** They have no clock, and say everything in order. */
function counting(): Voice {
  let life = 1
  const counters = new Map<string, number>()
  return {
    word: (reading) => {
      const series = `${reading.device} ${reading.metric}`
      const seq = counters.get(series) ?? 0
      counters.set(series, seq + 1)
      return { ...reading, seq, session: `life-${life}` }
    },
    beginAnew: () => {
      life++
      counters.clear()
    },
  }
}

describe('two gateways that did not hear each other', () => {
  it.each([
    ['devices that give the time', timed, 0],
    ['devices that count, in sessions', counting, 0],
    ['devices that count, and clocks that differ', counting, 5000],
    ['devices that count, and clocks that differ the other way', counting, -500],
  ] as const)('agree in the end, with each other and with the centre: %s', (_, voiceOf, skew) => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 120, size: 'max' }), (steps) => {
        const [a, b] = pair(MISSING)
        const voice = voiceOf(() => now)
        const clock = (site: Site): Millis => (site === b ? now + skew : now)
        const centre = new Centre()
        const sent = new Map([
          [a, 0],
          [b, 0],
        ])
        let now = 10_000
        const send = (site: Site): void => {
          sent.set(site, centre.take(site, sent.get(site) ?? 0, clock(site)))
        }
        const say = (site: Site, reading: Omit<Reading, 'received'>, late: Millis): void => {
          site.take({ ...voice.word(reading, late), received: clock(site) })
        }
        for (const device of ['d1', 'd2']) for (const metric of ['a', 'b']) say(a, { device, metric, value: 30 }, 0)
        b.catchUp(a)
        for (const [wait, one] of steps) {
          now += wait
          const site = 'there' in one && one.there ? a : b
          if (one.kind === 'reading') {
            const { late, ...rest } = one.reading
            say(site, rest, late)
          } else if (one.kind === 'act') site.tell(act(site.machine, one, clock(site)))
          else if (one.kind === 'tick') for (const it of [a, b]) it.tick(clock(it))
          else if (one.kind === 'crash') voice.beginAnew()
          else if (one.kind === 'followed') a.catchUp(b)
          else if (one.kind === 'follow') for (let i = 0; i < one.count; i++) b.follow(a, one.lane)
          else if (one.kind === 'commit') send(one.records > 1 ? a : b)
        }
        const told = a.events.length + b.events.length
        const settle = (): void => {
          for (let rounds = 0, before = -1; before !== a.events.length + b.events.length; rounds++) {
            expect(rounds).toBeLessThan(20)
            before = a.events.length + b.events.length
            for (let i = 0; i < 3; i++) for (const site of [a, b]) send(site)
            b.catchUp(a)
            a.catchUp(b)
          }
        }
        settle()
        // They do not answer each other for ever.
        expect(a.events.length + b.events.length).toBeLessThan(told + 100)
        // With its next word everybody knows where a device is.
        for (const [i, device] of ['d1', 'd2'].entries())
          for (const metric of ['a', 'b']) {
            now += 100
            say(i === 0 ? a : b, { device, metric, value: 30 }, 0)
            settle()
          }
        for (const site of [a, b]) send(site)
        expect([...sent]).toEqual([a, b].map((site) => [site, site.events.length]))
        for (const { alarm, last } of a.machine.alarms()) {
          const other = [...b.machine.alarms()].find(
            (it) => it.alarm.name === alarm.name && it.last.device === last.device,
          )
          expect(other?.alarm).toMatchObject({ state: alarm.state, transition: alarm.transition, since: alarm.since })
          expect(other?.alarm.follows).toBe(!alarm.follows)
          if (alarm.transition === 0) continue
          expect(centre.last(last.device, alarm.name, alarm.since)).toMatchObject({
            transition: alarm.transition,
            data: { state: { after: alarm.state } },
          })
        }
      }),
      { numRuns: RUNS },
    )
  })
})
