import { describe, expect, test, vi } from 'vitest'
import type { Verdict } from '../../../../../gateway/ingest/acceptor.ts'
import { storeFull } from '../support/fake-acceptor.ts'
import { turn } from '../support/peer.ts'
import { PATIENCE } from '../support/raw-client.ts'
import { publish, startTestServer5 } from './support.ts'

const verdict = (outcome: Verdict['outcome'], code?: string): Verdict => ({
  outcome,
  problem: code === undefined ? null : { code, reason: 'for a reason' },
})

describe('a publish', () => {
  test('of each QoS from mqtt.js goes to the acceptor, and is answered', async () => {
    const { client, acceptor } = await startTestServer5()
    const device = await client({ protocolVersion: 5 })
    await device.publishAsync('sensors/a/t', 'one', { qos: 1 })
    await device.publishAsync('sensors/a/t', 'two', { qos: 2 })
    await device.publishAsync('sensors/a/t', 'none', { qos: 0 })
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['one', 'two', 'none']), PATIENCE)
    await vi.waitFor(() => expect(acceptor.releases.at(-1)).toEqual([device.options.clientId, expect.any(Number)]))
    expect(acceptor.received.every(({ said }) => said === undefined)).toBe(true)
  })

  test('is answered when it is durable, and not before', async () => {
    const { raw5, acceptor } = await startTestServer5()
    acceptor.auto = false
    const device = await raw5()
    device.send(publish({ messageId: 7 }), { cmd: 'pingreq' })
    await device.next('pingresp')
    expect(device.rest()).toEqual([])
    acceptor.answerAll()
    expect(await device.next('puback')).toMatchObject({ messageId: 7, reasonCode: 0 })
  })

  test('says to the acceptor what its properties say', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const device = await raw5()
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 60,
      contentType: 'application/json',
      userProperties: { room: ['a', 'b'], line: 'x' },
    }
    device.send(publish({ properties }))
    await device.next('puback')
    expect(acceptor.received[0]?.said).toEqual({
      user: [
        ['room', 'a'],
        ['room', 'b'],
        ['line', 'x'],
      ],
      contentType: 'application/json',
      expiry: 60_000,
    })
  })

  test.each([
    ['stored', verdict('stored'), 0x00, undefined],
    ['stored in part', verdict('stored', 'VALUE_TYPE'), 0x00, 'VALUE_TYPE: for a reason'],
    [
      'a dead letter for its payload',
      verdict('dead letter', 'PAYLOAD_NOT_JSON'),
      0x99,
      'PAYLOAD_NOT_JSON: for a reason',
    ],
    ['a dead letter for its topic', verdict('dead letter', 'TOPIC_UNKNOWN'), 0x90, 'TOPIC_UNKNOWN: for a reason'],
    ['a dead letter for its age', verdict('dead letter', 'MESSAGE_EXPIRED'), 0x83, 'MESSAGE_EXPIRED: for a reason'],
    ['local, and heard by nobody', verdict('local'), 0x10, undefined],
  ])('learns what became of it: %s', async (_name, outcome, reasonCode, reasonString) => {
    const { raw5, acceptor } = await startTestServer5()
    acceptor.verdict = outcome
    const device = await raw5()
    for (const qos of [1, 2] as const) {
      device.send(publish({ qos, messageId: qos }))
      const answer = await device.next(qos === 1 ? 'puback' : 'pubrec')
      expect(answer).toMatchObject({ messageId: qos, reasonCode })
      expect(answer.properties?.reasonString).toBe(reasonString)
    }
    // A refusal ends the exchange of QoS 2: the identifier is free.
    const releases = acceptor.releases.filter(([, id]) => id === 2)
    expect(releases).toHaveLength(reasonCode >= 0x80 ? 1 : 0)
  })

  test('that the outbox refuses is answered 0x97, in its turn, and the connection goes on', async () => {
    const { raw5, acceptor, count } = await startTestServer5()
    acceptor.auto = false
    const device = await raw5()
    device.send(publish({ messageId: 1 }), publish({ messageId: 2 }), publish({ messageId: 3 }))
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(3), PATIENCE)
    const [first, second, third] = acceptor.received
    second?.done(storeFull(), verdict('refused'))
    device.send({ cmd: 'pingreq' })
    await device.next('pingresp')
    expect(device.rest()).toEqual([])
    first?.done()
    third?.done()
    expect(await device.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0 })
    expect(await device.next('puback')).toMatchObject({
      messageId: 2,
      reasonCode: 0x97,
      properties: { reasonString: 'TEST_STORE_FULL: expected room in the store, came none' },
    })
    expect(await device.next('puback')).toMatchObject({ messageId: 3, reasonCode: 0 })
    expect(count('publishes.refused')).toBe(1)
  })

  test('of which nobody knows what became is not answered: the connection ends with 0x89', async () => {
    const { raw5, acceptor } = await startTestServer5()
    acceptor.refuseWith = storeFull()
    const device = await raw5()
    device.send(publish({}), publish({ messageId: 2 }))
    expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x89 })
    await device.raw.whenClosed()
    expect(device.rest()).toEqual([])
  })

  test('to a topic of the broker’s own is not authorised, and goes nowhere', async () => {
    const { raw5, acceptor, count } = await startTestServer5()
    const device = await raw5()
    device.send(publish({ topic: '$SYS/x' }), publish({ topic: '$tidegate/x', qos: 2, messageId: 2 }))
    expect(await device.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 })
    expect(await device.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x87 })
    expect(acceptor.received).toEqual([])
    expect(count('publishes.reserved')).toBe(2)
  })

  test('hears no words when the client does not want any, or they would not fit', async () => {
    const { raw5, acceptor } = await startTestServer5()
    acceptor.verdict = verdict('dead letter', 'PAYLOAD_NOT_JSON')
    for (const [clientId, properties] of [
      ['quiet', { requestProblemInformation: false }],
      ['small', { maximumPacketSize: 20 }],
    ] as const) {
      const device = await raw5({ clientId, properties })
      device.send(publish({}))
      const answer = await device.next('puback')
      expect(answer.reasonCode).toBe(0x99)
      expect(answer.properties).toBeUndefined()
    }
  })
})

describe('QoS 2', () => {
  test('a repeat before PUBREL is answered again, and shown to nobody again', async () => {
    const { raw5, client, acceptor } = await startTestServer5()
    const seen: string[] = []
    const tap = await client({ protocolVersion: 5 })
    tap.on('message', (_topic, payload) => seen.push(payload.toString()))
    await tap.subscribeAsync('#', { qos: 1 })
    const device = await raw5()
    device.send(publish({ qos: 2, messageId: 5, payload: 'a' }))
    await device.next('pubrec')
    device.send(publish({ qos: 2, messageId: 5, payload: 'a', dup: true }))
    await device.next('pubrec')
    expect(acceptor.received.map(({ dup }) => dup)).toEqual([false, true])
    device.send({ cmd: 'pubrel', messageId: 5 })
    expect(await device.next('pubcomp')).toMatchObject({ messageId: 5 })
    device.send(publish({ qos: 2, messageId: 5, payload: 'b' }))
    await device.next('pubrec')
    await vi.waitFor(() => expect(seen).toEqual(['a', 'b']), PATIENCE)
  })

  test('PUBCOMP waits until the release is durable', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const device = await raw5()
    device.send(publish({ qos: 2, messageId: 5 }))
    await device.next('pubrec')
    let letGo = (): void => {}
    acceptor.releasing = new Promise((resolve) => {
      letGo = resolve
    })
    device.send({ cmd: 'pubrel', messageId: 5 }, { cmd: 'pingreq' })
    await device.next('pingresp')
    expect(device.rest()).toEqual([])
    letGo()
    await device.next('pubcomp')
  })

  test('a client whose session is not there any more numbers anew: what was held for an identifier is released first', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const device = await raw5({ clientId: 'd', clean: false, properties: { sessionExpiryInterval: 60 } })
    expect(device.connack.sessionPresent).toBe(false)
    device.send(publish({ qos: 2, messageId: 1 }), publish({ qos: 2, messageId: 2, dup: true }))
    await device.next('pubrec')
    await device.next('pubrec')
    expect(acceptor.releases).toEqual([['d', 1]])
  })
})

describe('topic aliases', () => {
  test('stand for a topic until they stand for another', async () => {
    const { raw5, acceptor } = await startTestServer5({ limits: { topicAliasMaximum: 2 } })
    const device = await raw5()
    expect(device.connack.properties?.topicAliasMaximum).toBe(2)
    device.send(
      publish({ topic: 'a', qos: 0, properties: { topicAlias: 1 } }),
      publish({ topic: '', qos: 0, properties: { topicAlias: 1 } }),
      publish({ topic: 'b', qos: 0, properties: { topicAlias: 1 } }),
      publish({ topic: '', messageId: 1, properties: { topicAlias: 1 } }),
    )
    await device.next('puback')
    expect(acceptor.received.map(({ topic }) => topic)).toEqual(['a', 'a', 'b', 'b'])
  })

  test.each([
    ['zero', 'a', 0, 0x94],
    ['above the maximum', 'a', 3, 0x94],
    ['unknown', '', 2, 0x82],
    ['missing', '', undefined, 0x82],
  ])('that is %s ends the connection', async (_name, topic, topicAlias, reasonCode) => {
    const { raw5, acceptor } = await startTestServer5({ limits: { topicAliasMaximum: 2 } })
    const device = await raw5()
    const { generate } = await import('mqtt-packet')
    // The codec of the test is too good to write some of these.
    const packet = topicAlias === 0 ? Buffer.from([0x30, 7, 0, 1, 0x61, 3, 0x23, 0, 0]) : null
    device.raw.send(
      packet ??
        generate(publish({ topic, qos: 0, ...(topicAlias && { properties: { topicAlias } }) }), { protocolVersion: 5 }),
    )
    expect(await device.next('disconnect')).toMatchObject({ reasonCode })
    await device.raw.whenClosed()
    expect(acceptor.received).toEqual([])
  })
})

describe('the receive maximum', () => {
  test('is said, and no more is taken before there are answers', async () => {
    const { raw5, acceptor } = await startTestServer5({ limits: { receiveMaximum: 3 } })
    acceptor.auto = false
    const device = await raw5()
    expect(device.connack.properties?.receiveMaximum).toBe(3)
    device.send(...[1, 2, 3, 4, 5].map((messageId) => publish({ messageId, qos: messageId === 2 ? 2 : 1 })), {
      cmd: 'disconnect',
      reasonCode: 0,
    })
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(3), PATIENCE)
    await turn()
    expect(acceptor.received).toHaveLength(3)
    acceptor.received[0]?.done()
    expect(await device.next('puback')).toMatchObject({ messageId: 1 })
    expect(acceptor.received).toHaveLength(4)
    acceptor.received[1]?.done()
    acceptor.received[2]?.done()
    expect(acceptor.received).toHaveLength(5)
    await device.raw.whenClosed()
  })

  test('is exceeded when too many QoS 2 publishes are not released', async () => {
    const { raw5, count } = await startTestServer5({ limits: { maxUnreleased: 2 } })
    const device = await raw5()
    for (const messageId of [1, 2]) {
      device.send(publish({ messageId, qos: 2 }))
      await device.next('pubrec')
    }
    device.send(publish({ messageId: 2, qos: 2, dup: true }))
    await device.next('pubrec')
    device.send(publish({ messageId: 3, qos: 2 }))
    expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x93 })
    expect(count('violations.RECEIVE_MAXIMUM_EXCEEDED')).toBe(1)
  })

  test('holds back a client of mqtt.js that has more to say', async () => {
    const { client, acceptor } = await startTestServer5({ limits: { receiveMaximum: 4 } })
    acceptor.auto = false
    const device = await client({ protocolVersion: 5 })
    const all = Promise.all(
      Array.from({ length: 20 }, (_, n) => device.publishAsync('sensors/a/t', `${n}`, { qos: 1 })),
    )
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(4), PATIENCE)
    acceptor.auto = true
    acceptor.answerAll()
    await all
    expect(acceptor.texts()).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`))
  })
})

describe('the answer as a message', () => {
  test('goes to the response topic with the correlation data, and says what PUBACK says', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const device = await raw5()
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'local/answers', qos: 0 }] })
    await device.next('suback')
    const properties = { responseTopic: 'local/answers', correlationData: Buffer.from([1, 2, 3]) }
    acceptor.verdict = verdict('dead letter', 'PAYLOAD_NOT_JSON')
    device.send(publish({ qos: 0, payload: 'x', properties }))
    const answer = await device.next('publish')
    expect(JSON.parse(answer.payload.toString())).toEqual({
      reasonCode: 0x99,
      topic: 'sensors/a/t',
      reason: 'PAYLOAD_NOT_JSON: for a reason',
    })
    expect(answer.properties).toEqual({
      payloadFormatIndicator: true,
      contentType: 'application/json',
      correlationData: Buffer.from([1, 2, 3]),
    })
  })

  test('is left to the subscribers where the gateway has nothing to store', async () => {
    const { raw5, acceptor } = await startTestServer5()
    acceptor.verdict = verdict('local')
    const device = await raw5()
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
    await device.next('suback')
    const properties = { responseTopic: 'local/answers', correlationData: Buffer.from([1]) }
    device.send(publish({ topic: 'local/question', payload: 'x', properties }))
    expect(await device.next('puback')).toMatchObject({ reasonCode: 0 })
    expect((await device.next('publish')).properties).toMatchObject(properties)
    expect(device.rest()).toEqual([])
  })
})
