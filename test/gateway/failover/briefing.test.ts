import { describe, expect, it } from 'vitest'
import { type Briefing, briefings, seriesOf } from '../../../gateway/failover/briefing.ts'
import { decodeRequest, encodeMessage } from '../../../gateway/failover/protocol.ts'
import { ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import type { Millis, Reading, ThresholdEvent } from '../../../sync/contract/index.ts'

const RULES = { rules: [{ id: 'hot', match: { metric: 'a' }, above: 70 }] }

const reading = (device: string, value: number, received: Millis): Reading => ({
  device,
  metric: 'a',
  value,
  time: received,
  received,
})

function machineOf(gateway: string): StateMachine {
  const machine = new StateMachine({ dedupeWindow: 8, maxSeries: 10_000, gateway })
  machine.resume(0)
  machine.changeRules('file', RULES, ruleSetSchema.parse(RULES), 0)
  return machine
}

/** What one machine knows, as it comes to another over the wire. */
function brief(from: StateMachine, origin: string, to: StateMachine): number {
  let messages = 0
  for (const briefing of briefings(from.known())) {
    messages++
    for (const series of seriesOf(sent(briefing))) to.learn(origin, series)
  }
  return messages
}

function sent(briefing: Briefing): Briefing {
  const request = decodeRequest(encodeMessage({ kind: 'briefing', ...briefing }))
  if (request.kind !== 'briefing') throw new Error(`it came as '${request.kind}'`)
  return request
}

const told = (events: readonly ThresholdEvent[]): string[] =>
  events.map(({ device, since, transition, type }) => `${device} ${since}/${transition} ${type.split('.').at(-1)}`)

describe('a gateway that begins with nothing', () => {
  it('goes on with alarms that a life of its own raised, which is lost', () => {
    const peer = machineOf('gw-b')
    peer.hear('gw-a/old', reading('d1', 80, 1000), 0)
    const raised = machineOf('gw-a').apply(reading('d1', 80, 1000), 0)
    for (const event of raised) peer.heed('gw-a/old', event, 0)
    const blank = machineOf('gw-a')
    brief(peer, 'gw-b/1', blank)
    expect(told(blank.apply(reading('d1', 81, 2000), 0))).toEqual([])
    expect(told(blank.apply(reading('d1', 10, 3000), 1))).toEqual(['d1 1000/2 cleared'])
  })

  it('follows alarms of devices that speak to the one that says so', () => {
    const peer = machineOf('gw-b')
    peer.apply(reading('d1', 80, 1000), 0)
    const blank = machineOf('gw-a')
    brief(peer, 'gw-b/1', blank)
    expect(told(blank.advance(10_000))).toEqual([])
    blank.hear('gw-b/1', reading('d1', 10, 2000), 1)
    blank.adopt('gw-b/1', 10_000)
    expect(told(blank.advance(10_000))).toEqual(['d1 1000/2 cleared'])
  })

  it('stands in for them whatever epoch they spoke to last', () => {
    const third = machineOf('gw-c')
    third.hear('gw-b/1', reading('d1', 10, 1000), 0)
    const blank = machineOf('gw-a')
    brief(third, 'gw-c/1', blank)
    blank.adopt('gw-b/2', 5000)
    blank.hear('gw-b/2', reading('d1', 80, 2000), 0)
    expect(told(blank.advance(5000))).toEqual(['d1 2000/1 raised'])
  })

  it('keeps what it knows better', () => {
    const peer = machineOf('gw-b')
    peer.apply(reading('d1', 80, 1000), 0)
    peer.apply(reading('d2', 80, 1000), 1)
    const blank = machineOf('gw-a')
    brief(peer, 'gw-b/1', blank)
    expect(told(blank.apply(reading('d1', 10, 2000), 0))).toEqual(['d1 1000/2 cleared'])
    brief(peer, 'gw-b/1', blank)
    expect(told(blank.apply(reading('d1', 90, 3000), 1))).toEqual(['d1 1000/3 raised'])
  })

  it('says what it is not told of readings that it hears only later', () => {
    const peer = machineOf('gw-b')
    peer.apply(reading('d1', 80, 1000), 0)
    peer.apply(reading('d1', 10, 2000), 1)
    const blank = machineOf('gw-a')
    brief(peer, 'gw-b/1', blank)
    // These come behind it, from a third gateway: what came of them was told.
    blank.hear('gw-b/1', reading('d1', 80, 1000), 0)
    blank.hear('gw-b/1', reading('d1', 10, 2000), 1)
    blank.adopt('gw-b/1', 10_000)
    expect(told(blank.advance(10_000))).toEqual([])
  })

  it('is told of thousands in messages of some', () => {
    const peer = machineOf('gw-b')
    for (let i = 0; i < 450; i++) peer.apply(reading(`d${i}`, i % 2 === 0 ? 80 : 10, 1000), i)
    const blank = machineOf('gw-a')
    expect(brief(peer, 'gw-b/1', blank)).toBe(3)
    expect(blank.seriesCount).toBe(450)
    expect([...blank.known()].map(({ alarms }) => alarms.length)).toEqual(
      [...peer.known()].map(({ alarms }) => alarms.length),
    )
  })

  it('hears of no series, and that this is all', () => {
    expect([...briefings([])]).toEqual([{ series: [], last: true }])
  })
})

describe('a briefing', () => {
  it('that is none is refused', () => {
    const of = (head: object): Buffer => encodeMessage({ kind: 'briefing', ...head } as never)
    for (const head of [
      {},
      { series: 1, last: true },
      { series: [], last: 1 },
      { series: [{ line: '{}' }], last: true },
      { series: [{ line: '{}', home: '', alarms: [{ name: 'x' }] }], last: true },
    ])
      expect(() => decodeRequest(of(head))).toThrow(expect.objectContaining({ code: 'PEER_MESSAGE_INVALID' }))
  })

  it('says nothing of readings that this version does not understand', () => {
    const series = [{ line: '{"device":1}', home: '', alarms: [] }]
    expect([...seriesOf({ series, last: true })]).toEqual([])
  })
})
