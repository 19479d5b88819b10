import { describe, expect, test, vi } from 'vitest'
import { PATIENCE } from '../support/raw-client.ts'
import { publish, type RawClient5, startTestServer5 } from './support.ts'

type Options = { topic: string; qos: 0 | 1 | 2; nl?: boolean; rap?: boolean; rh?: number }

async function subscribe(client: RawClient5, subscriptions: Options[], subscriptionIdentifier?: number) {
  client.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions,
    ...(subscriptionIdentifier !== undefined && { properties: { subscriptionIdentifier } }),
  })
  return (await client.next('suback')).granted
}

/** Everything that was sent to the client before this has come when it resolves. */
async function settle(client: RawClient5): Promise<void> {
  client.send({ cmd: 'pingreq' })
  await client.next('pingresp')
}

describe('SUBSCRIBE', () => {
  test('is answered for each filter: granted, not authorised, too many, shared', async () => {
    const { raw5, count } = await startTestServer5({
      limits: { maxSubscriptionsPerClient: 2 },
      access: { mayReceive: (_id, filter) => filter !== 'secret' },
    })
    const client = await raw5()
    const filters = ['a', 'secret', '$share/g/a', 'b', 'c', 'a'].map((topic) => ({ topic, qos: 2 as const }))
    expect(await subscribe(client, filters)).toEqual([2, 0x87, 0x9e, 2, 0x97, 2])
    expect(count('subscriptions.refused')).toBe(2)
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'nothing'] })
    expect((await client.next('unsuback')).granted).toEqual([0, 0x11])
    expect(await subscribe(client, [{ topic: 'c', qos: 0 }])).toEqual([0])
  })

  test('delivers what both versions publish, with the lower QoS of the two', async () => {
    const { raw5, client } = await startTestServer5()
    const tap = await raw5()
    await subscribe(tap, [{ topic: 'sensors/#', qos: 1 }])
    const device = await client({ protocolVersion: 4 })
    await device.publishAsync('sensors/a/t', 'zero', { qos: 0 })
    await device.publishAsync('sensors/a/t', 'one', { qos: 1 })
    await device.publishAsync('sensors/a/t', 'two', { qos: 2 })
    for (const [payload, qos] of [
      ['zero', 0],
      ['one', 1],
      ['two', 1],
    ] as const) {
      const message = await tap.next('publish')
      expect([message.payload.toString(), message.qos, message.retain]).toEqual([payload, qos, false])
    }
    // And the other way round.
    const old = await client({ protocolVersion: 4 })
    const seen: string[] = []
    old.on('message', (_topic, payload, { qos }) => seen.push(`${payload.toString()}${qos}`))
    await old.subscribeAsync('sensors/#', { qos: 1 })
    tap.send(publish({ payload: 'from five ', qos: 2, messageId: 9, properties: { contentType: 'x/y' } }))
    await vi.waitFor(() => expect(seen).toEqual(['from five 1']), PATIENCE)
  })

  test('forwards what a message carries, with what is left of its expiry', async () => {
    const { raw5 } = await startTestServer5()
    const tap = await raw5({ clientId: 'tap' })
    await subscribe(tap, [{ topic: '#', qos: 0 }])
    const device = await raw5({ clientId: 'device' })
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 100,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2]),
      userProperties: { b: ['2', '1'], a: '3' },
    }
    device.send(publish({ topic: 'local/x', properties: { ...properties, topicAlias: 1 } }))
    expect((await tap.next('publish')).properties).toEqual(properties)
  })

  test('several that match deliver a message once, with all their identifiers and the highest QoS', async () => {
    const { raw5 } = await startTestServer5()
    const client = await raw5()
    await subscribe(client, [{ topic: 'a/#', qos: 0 }], 7)
    await subscribe(client, [{ topic: 'a/+', qos: 1 }], 300)
    await subscribe(client, [{ topic: 'a/b', qos: 1 }])
    client.send(publish({ topic: 'a/b', qos: 1 }))
    const message = await client.next('publish')
    expect(message.qos).toBe(1)
    expect([message.properties?.subscriptionIdentifier].flat().sort()).toEqual([300, 7])
    await settle(client)
    expect(client.rest().filter(({ cmd }) => cmd === 'publish')).toEqual([])
  })

  test('No Local leaves out what the client publishes itself, and nothing else', async () => {
    const { raw5 } = await startTestServer5()
    const client = await raw5({ clientId: 'self' })
    const other = await raw5({ clientId: 'other' })
    await subscribe(client, [{ topic: 'a', qos: 0, nl: true }])
    client.send(publish({ topic: 'a', payload: 'own', qos: 1 }))
    await client.next('puback')
    other.send(publish({ topic: 'a', payload: 'theirs', qos: 0 }))
    expect((await client.next('publish')).payload.toString()).toBe('theirs')
    await subscribe(client, [{ topic: '+', qos: 0 }])
    client.send(publish({ topic: 'a', payload: 'own again', qos: 0 }))
    expect((await client.next('publish')).payload.toString()).toBe('own again')
  })

  test('Retain As Published keeps the flag; without it a live message has none', async () => {
    const { raw5 } = await startTestServer5()
    const device = await raw5({ clientId: 'device' })
    for (const rap of [false, true]) {
      const tap = await raw5({ clientId: `tap-${rap}` })
      await subscribe(tap, [{ topic: 'a', qos: 0, rap, rh: 2 }])
      device.send(publish({ topic: 'a', qos: 0, retain: true }))
      expect((await tap.next('publish')).retain).toBe(rap)
      device.send(publish({ topic: 'a', qos: 0 }))
      expect((await tap.next('publish')).retain).toBe(false)
    }
  })
})

describe('retained messages', () => {
  test.each([
    [0, ['old', 'old']],
    [1, ['old']],
    [2, []],
  ])('retain handling %d: subscribing twice brings %j', async (rh, expected) => {
    const { raw5 } = await startTestServer5()
    const device = await raw5({ clientId: 'device' })
    device.send(publish({ topic: 'a/b', payload: 'old', qos: 1, retain: true, properties: { contentType: 't/x' } }))
    await device.next('puback')
    const client = await raw5()
    for (let n = 0; n < 2; n++) {
      await subscribe(client, [{ topic: 'a/+', qos: 1, rh }], 5)
      await settle(client)
    }
    const got = client.rest().filter((packet) => packet.cmd === 'publish')
    expect(got.map(({ payload }) => payload.toString())).toEqual(expected)
    for (const { retain, properties } of got) {
      expect(retain).toBe(true)
      expect(properties).toEqual({ contentType: 't/x', subscriptionIdentifier: 5 })
    }
  })

  test('that have expired are sent to nobody', async () => {
    const { raw5, client, count } = await startTestServer5()
    const device = await raw5({ clientId: 'device' })
    device.send(publish({ topic: 'a', qos: 1, retain: true, properties: { messageExpiryInterval: 1 } }))
    await device.next('puback')
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    const tap = await raw5()
    await subscribe(tap, [{ topic: 'a', qos: 0 }])
    await settle(tap)
    expect(tap.rest()).toEqual([])
    expect(count('retained.expired')).toBe(1)
    const old = await client({ protocolVersion: 4 })
    const seen: string[] = []
    old.on('message', (topic) => seen.push(topic))
    await old.subscribeAsync('a')
    await old.publishAsync('a', '', { qos: 1 })
    await vi.waitFor(() => expect(seen).toEqual(['a']), PATIENCE)
  })

  test('of version 5 come to clients of 3.1.1, and the other way round', async () => {
    const { raw5, client } = await startTestServer5()
    const old = await client({ protocolVersion: 4 })
    await old.publishAsync('from/4', 'x', { qos: 1, retain: true })
    const tap = await raw5()
    await subscribe(tap, [{ topic: 'from/#', qos: 1 }])
    expect(await tap.next('publish')).toMatchObject({ topic: 'from/4', retain: true, qos: 1 })
    tap.send(publish({ topic: 'from/5', retain: true, qos: 0 }))
    const seen: string[] = []
    old.on('message', (topic, _payload, { retain }) => seen.push(`${topic} ${retain}`))
    await tap.next('publish')
    await old.subscribeAsync('from/5')
    await vi.waitFor(() => expect(seen).toEqual(['from/5 true']), PATIENCE)
  })
})

describe('towards a subscriber', () => {
  test('no more is out than it takes before it has answered, in order', async () => {
    const { raw5 } = await startTestServer5()
    const tap = await raw5({ clientId: 'tap', properties: { receiveMaximum: 2 } })
    await subscribe(tap, [{ topic: 'a', qos: 2 }])
    const device = await raw5({ clientId: 'device' })
    for (let n = 1; n <= 5; n++)
      device.send(publish({ topic: 'a', payload: `${n}`, qos: n % 2 === 0 ? 2 : 1, messageId: n }))
    const first = await tap.next('publish')
    const second = await tap.next('publish')
    expect([first, second].map(({ payload, qos }) => `${payload.toString()} ${qos}`)).toEqual(['1 1', '2 2'])
    await settle(tap)
    expect(tap.rest()).toEqual([])
    tap.send({ cmd: 'puback', messageId: first.messageId ?? 0 })
    expect((await tap.next('publish')).payload.toString()).toBe('3')
    tap.send({ cmd: 'pubrec', messageId: second.messageId ?? 0 })
    await tap.next('pubrel')
    await settle(tap)
    expect(tap.rest()).toEqual([])
    tap.send({ cmd: 'pubcomp', messageId: second.messageId ?? 0 })
    expect((await tap.next('publish')).payload.toString()).toBe('4')
  })

  test('a packet that is larger than it takes is not sent', async () => {
    const { raw5, count } = await startTestServer5()
    const tap = await raw5({ clientId: 'tap', properties: { maximumPacketSize: 30, receiveMaximum: 1 } })
    await subscribe(tap, [{ topic: 'a', qos: 1 }])
    const device = await raw5({ clientId: 'device' })
    device.send(
      publish({ topic: 'a', payload: 'x'.repeat(40) }),
      publish({ topic: 'a', payload: 'y'.repeat(40), qos: 0 }),
      publish({ topic: 'a', payload: 'z', messageId: 2 }),
    )
    expect((await tap.next('publish')).payload.toString()).toBe('z')
    expect(count('forwards.droppedTooLarge')).toBe(2)
  })

  test('that does not read, others get theirs, and publishers their answers', async () => {
    const { raw5, count } = await startTestServer5({ limits: { slowReaderBytes: 100_000, drainTimeout: 60_000 } })
    const frozen = await raw5({ clientId: 'frozen' })
    await subscribe(frozen, [{ topic: 'a', qos: 0 }])
    frozen.raw.socket.pause()
    const tap = await raw5({ clientId: 'tap' })
    await subscribe(tap, [{ topic: 'a', qos: 0 }])
    const device = await raw5({ clientId: 'device' })
    const payload = 'x'.repeat(200_000)
    for (let n = 1; n <= 60; n++) {
      device.send(publish({ topic: 'a', payload, messageId: n }))
      await device.next('puback')
      await tap.next('publish')
    }
    expect(count('forwards.droppedSlow')).toBeGreaterThan(0)
  })
})

describe('a session', () => {
  const persistent = { clientId: 'tap', clean: false, properties: { sessionExpiryInterval: 60 } }

  test('keeps subscriptions and messages while its client is away', async () => {
    const { raw5 } = await startTestServer5()
    const first = await raw5(persistent)
    expect(first.connack.sessionPresent).toBe(false)
    await subscribe(first, [{ topic: 'a', qos: 2 }], 4)
    const device = await raw5({ clientId: 'device' })
    device.send(publish({ topic: 'a', payload: 'seen', qos: 1 }))
    const seen = await first.next('publish')
    first.raw.destroy()
    await first.raw.whenClosed()
    device.send(
      publish({ topic: 'a', payload: 'missed', qos: 2, messageId: 2, properties: { contentType: 'x' } }),
      publish({ topic: 'a', payload: 'nothing', qos: 0 }),
    )
    await device.next('pubrec')
    const second = await raw5(persistent)
    expect(second.connack.sessionPresent).toBe(true)
    // What was not answered is sent again, marked as such.
    expect(await second.next('publish')).toMatchObject({ messageId: seen.messageId, dup: true, qos: 1 })
    const missed = await second.next('publish')
    expect(missed).toMatchObject({ qos: 2, dup: false, properties: { contentType: 'x', subscriptionIdentifier: 4 } })
    second.send({ cmd: 'puback', messageId: seen.messageId ?? 0 }, { cmd: 'pubrec', messageId: missed.messageId ?? 0 })
    await second.next('pubrel')
    second.raw.destroy()
    const third = await raw5(persistent)
    expect(await third.next('pubrel')).toMatchObject({ messageId: missed.messageId })
    third.send({ cmd: 'pubcomp', messageId: missed.messageId ?? 0 })
    await settle(third)
    expect(third.rest()).toEqual([])
  })

  test('ends with its connection where no expiry was asked for, and when that is over', async () => {
    const { raw5 } = await startTestServer5()
    for (const sessionExpiryInterval of [0, 1]) {
      const first = await raw5({ clean: false, properties: { sessionExpiryInterval } })
      await subscribe(first, [{ topic: 'a', qos: 1 }])
      first.raw.destroy()
      await first.raw.whenClosed()
      await new Promise((resolve) => setTimeout(resolve, sessionExpiryInterval * 1_100))
      const second = await raw5({ clean: false })
      expect(second.connack.sessionPresent).toBe(false)
      second.send({ cmd: 'disconnect', reasonCode: 0 })
      await second.raw.whenClosed()
    }
  })

  test('is forgotten by a clean start, and by a client that comes back with 3.1.1', async () => {
    const { raw5, raw } = await startTestServer5()
    const leave = async (): Promise<void> => {
      const client = await raw5(persistent)
      await subscribe(client, [{ topic: 'a', qos: 1 }])
      client.raw.destroy()
      await client.raw.whenClosed()
    }
    await leave()
    const clean = await raw5({ ...persistent, clean: true })
    expect(clean.connack.sessionPresent).toBe(false)
    clean.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    await clean.raw.whenClosed()
    await leave()
    const old = await raw({ clientId: 'tap', clean: false })
    old.destroy()
    await old.whenClosed()
    expect((await raw5(persistent)).connack.sessionPresent).toBe(false)
  })

  test('of 3.1.1 is forgotten when its client comes back with 5', async () => {
    const { raw5, client } = await startTestServer5()
    const old = await client({ protocolVersion: 4, clientId: 'tap', clean: false })
    await old.subscribeAsync('a', { qos: 1 })
    await old.endAsync()
    const young = await raw5({ clientId: 'tap', clean: false })
    expect(young.connack.sessionPresent).toBe(false)
    young.send(publish({ topic: 'a', messageId: 3 }))
    await young.next('puback')
    await settle(young)
    expect(young.rest()).toEqual([])
  })

  test('may not receive any more what has been taken from it meanwhile', async () => {
    let allowed = true
    const { raw5 } = await startTestServer5({ access: { mayReceive: () => allowed } })
    const first = await raw5(persistent)
    await subscribe(first, [{ topic: 'a', qos: 1 }])
    first.raw.destroy()
    await first.raw.whenClosed()
    allowed = false
    const second = await raw5(persistent)
    second.send(publish({ topic: 'a', messageId: 3 }))
    await second.next('puback')
    await settle(second)
    expect(second.rest()).toEqual([])
  })

  test('has a bound: messages of one, sessions in all', async () => {
    const { raw5, count } = await startTestServer5({ limits: { maxQueuedMessages: 2, maxSessions: 1 } })
    for (const clientId of ['a', 'b']) {
      const client = await raw5({ ...persistent, clientId })
      await subscribe(client, [{ topic: 'x', qos: 1 }])
      client.raw.destroy()
      await client.raw.whenClosed()
    }
    await vi.waitFor(() => expect(count('sessions.evicted')).toBe(1), PATIENCE)
    const device = await raw5({ clientId: 'device' })
    for (let n = 1; n <= 3; n++) {
      device.send(publish({ topic: 'x', messageId: n }))
      await device.next('puback')
    }
    expect(count('sessions.droppedQueueFull')).toBe(1)
    expect((await raw5({ ...persistent, clientId: 'a' })).connack.sessionPresent).toBe(false)
    const kept = await raw5({ ...persistent, clientId: 'b' })
    expect(kept.connack.sessionPresent).toBe(true)
    await kept.next('publish')
    await kept.next('publish')
  })
})

test('a message that waits longer than it may is not delivered', async () => {
  const { raw5, count } = await startTestServer5()
  const options = { clientId: 'tap', clean: false, properties: { sessionExpiryInterval: 60 } }
  const first = await raw5(options)
  await subscribe(first, [{ topic: 'a', qos: 1 }])
  first.raw.destroy()
  await first.raw.whenClosed()
  const device = await raw5({ clientId: 'device' })
  device.send(
    publish({ topic: 'a', payload: 'short', messageId: 1, properties: { messageExpiryInterval: 1 } }),
    publish({ topic: 'a', payload: 'long', messageId: 2, properties: { messageExpiryInterval: 100 } }),
  )
  await device.next('puback')
  await device.next('puback')
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const second = await raw5(options)
  const message = await second.next('publish')
  expect(message.payload.toString()).toBe('long')
  expect(message.properties?.messageExpiryInterval).toBe(99)
  expect(count('forwards.droppedExpired')).toBe(1)
})

test('a message that has expired is not delivered to a client of 3.1.1 that was away either', async () => {
  const { raw5, raw, client } = await startTestServer5()
  const old = await client({ protocolVersion: 4, clientId: 'old', clean: false })
  await old.subscribeAsync('a', { qos: 1 })
  await old.endAsync()
  const device = await raw5({ clientId: 'device' })
  device.send(
    publish({ topic: 'a', payload: 'short', messageId: 1, properties: { messageExpiryInterval: 1 } }),
    publish({ topic: 'a', payload: 'long', messageId: 2, properties: { messageExpiryInterval: 100 } }),
  )
  await device.next('puback')
  await device.next('puback')
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const again = await raw({ clientId: 'old', clean: false })
  const { body } = await again.next(3)
  expect(body.toString('utf8', 5)).toBe('long')
})
