import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DeadLetter, eventSubject, STREAMS, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { encodeEvent } from '../../../sync/forward/event-message.ts'
import { TestCentre } from '../../support/test-centre.ts'
import { start, until } from './running.ts'

let centre: TestCentre

beforeAll(async () => {
  centre = await TestCentre.start()
})
afterAll(() => centre?.stop())

const event = (transition: number, device = 'oven 1', rule = 'too.hot'): ThresholdEvent => ({
  id: `${rule}/${device}/${transition}`,
  device,
  rule,
  transition,
  since: 1_700_000_000_000,
  type: transition % 2 === 1 ? 'tidegate.alarm.raised' : 'tidegate.alarm.cleared',
  time: 1_700_000_000_000 + transition,
  data: { value: 80 + transition, level: 'high' },
})

describe('events', () => {
  it('come one by one, in the order of their alarm, with what the headers say', async () => {
    for (const n of [1, 2, 3]) await centre.publishEvent('hall/3', event(n), 'gw 1')
    await centre.publishEvent('hall/3', event(1, 'oven 2'))
    const consumer = start({ servers: centre.server.url, durable: 'all', stream: 'events', site: 'hall/3' })
    await until(() => consumer.records.length === 4)
    const own = consumer.records.filter(({ device }) => device === 'oven 1')
    expect(own).toEqual([1, 2, 3].map((n) => ({ ...event(n), source: '/sites/hall/3/gateways/gw 1' })))
    expect(consumer.contexts.find(({ position }) => position.offset === 3)).toMatchObject({
      position: { origin: `${eventSubject('hall/3', 'oven 1', 'too.hot')}@1700000000000`, offset: 3 },
      site: 'hall/3',
      gateway: 'gw 1',
    })
    expect(consumer.kinds()).toEqual([])
  })

  it('that were stored twice are handed out once, and a missing transition is reported', async () => {
    for (const n of [1, 2, 1, 2, 4]) await centre.publishEvent('b', event(n))
    const consumer = start({ servers: centre.server.url, durable: 'twice', stream: 'events', site: 'b' })
    await until(() => consumer.records.length === 3)
    expect(consumer.records.map(({ transition }) => transition)).toEqual([1, 2, 4])
    expect(consumer.reports).toMatchObject([
      { kind: 'repeat', from: 1 },
      { kind: 'repeat', from: 2 },
      { kind: 'gap', from: 3, to: 3 },
    ])
  })

  it('that are not what their headers say are put aside', async () => {
    const site = 'c'
    const good = encodeEvent(event(1), 1, { site, gateway: 'gw', epoch: 'e', term: 1 })
    await centre.publish({ ...good, body: Buffer.from(JSON.stringify(event(2))) })
    await centre.publish({ ...good, body: Buffer.from('{"id":"x"}') })
    await centre.publish({ ...good, headers: good.headers.filter(([name]) => name !== 'ce-source') })
    await centre.publish({ ...good, subject: eventSubject(site, 'another', 'too.hot') })
    await centre.publishEvent(site, event(1))
    const consumer = start({ servers: centre.server.url, durable: 'odd', stream: 'events', site })
    await until(() => consumer.records.length === 1)
    await until(() => consumer.reports.length === 4)
    expect(consumer.reports.map((report) => 'code' in report && report.code).sort()).toEqual([
      'EVENT_HEADERS',
      'EVENT_HEADERS',
      'EVENT_HEADERS',
      'EVENT_INVALID',
    ])
    const { state } = await centre.manager.streams.info(STREAMS.consumerDeadletters)
    expect(state.messages).toBe(4)
  })
})

describe('dead letters of gateways', () => {
  it('come one by one', async () => {
    const letter = (n: number): DeadLetter => ({
      code: 'PAYLOAD_NOT_JSON',
      reason: 'expected JSON',
      topic: 'sensors/a/b',
      client: `client ${n}`,
      received: 1_700_000_000_000,
      payload: Buffer.from(`bytes ${n}`).toString('base64'),
    })
    await centre.publishDeadLetters({ site: 's', from: 0 }, [letter(0), letter(1)])
    const consumer = start({ servers: centre.server.url, durable: 'letters', stream: 'deadletters', site: 's' })
    await until(() => consumer.records.length === 2)
    expect(consumer.records).toEqual([letter(0), letter(1)])
  })
})
