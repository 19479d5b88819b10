import { describe, expect, test, vi } from 'vitest'
import { connectPacket, frame } from '../support/packets.ts'
import { PATIENCE } from '../support/raw-client.ts'
import { connect, publish, startTestServer5 } from './support.ts'

describe('CONNACK', () => {
  test('says what the server grants, and what it does not', async () => {
    const { raw5 } = await startTestServer5({
      limits: { maxPublishBytes: 1000, receiveMaximum: 9, topicAliasMaximum: 4 },
    })
    const { connack } = await raw5()
    expect(connack.properties).toEqual({
      receiveMaximum: 9,
      topicAliasMaximum: 4,
      // Fixed header of three bytes.
      maximumPacketSize: 1003,
      retainAvailable: true,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
      sharedSubscriptionAvailable: false,
    })
  })

  test.each([
    [0, 3600],
    [3600, undefined],
    [3601, 3600],
    [10, undefined],
  ])('answers a keep-alive of %d s with %s', async (keepalive, serverKeepAlive) => {
    const { raw5 } = await startTestServer5()
    const { connack } = await raw5({ keepalive })
    expect(connack.properties?.serverKeepAlive).toBe(serverKeepAlive)
  })

  test('assigns a client id, one of its own to each', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const ids = new Set<string | undefined>()
    for (let n = 0; n < 3; n++) {
      const device = await raw5({ clientId: '' })
      const id = device.connack.properties?.assignedClientIdentifier
      ids.add(id)
      device.send(publish({}))
      await device.next('puback')
      expect(acceptor.received.at(-1)?.clientId).toBe(id)
    }
    expect(ids.size).toBe(3)
    expect(ids.has(undefined)).toBe(false)
  })

  test('shortens a session expiry that is longer than sessions are kept', async () => {
    const { raw5 } = await startTestServer5({ limits: { maxSessionExpiry: 60_000 } })
    const long = await raw5({ clientId: 'a', properties: { sessionExpiryInterval: 0xffff_ffff } })
    expect(long.connack.properties?.sessionExpiryInterval).toBe(60)
    const short = await raw5({ clientId: 'b', properties: { sessionExpiryInterval: 60 } })
    expect(short.connack.properties?.sessionExpiryInterval).toBeUndefined()
  })

  test('refuses who may not connect with 0x87, and closes', async () => {
    const { open5, count } = await startTestServer5({
      access: { authenticate: (_id, username, password) => username === 'me' && password?.toString() === 'secret' },
    })
    const impostor = await open5()
    impostor.send(connect({ username: 'me', password: Buffer.from('guess') }))
    expect(await impostor.next('connack')).toMatchObject({ reasonCode: 0x87, sessionPresent: false })
    await impostor.raw.whenClosed()
    expect(count('clients.authenticationFailed')).toBe(1)
    const friend = await open5()
    friend.send(connect({ username: 'me', password: Buffer.from('secret') }))
    expect(await friend.next('connack')).toMatchObject({ reasonCode: 0 })
  })

  test.each([
    ['enhanced authentication', connect({ properties: { authenticationMethod: 'SCRAM-SHA-1' } }), 0x8c],
    ['a client id that is too long', connect({ clientId: 'x'.repeat(300) }), 0x85],
    ['the client id of a gateway', connect({ clientId: '@peer/gw-2' }), 0x85],
    ['a will on no topic', connect({ will: { topic: '#', payload: 'x' } }), 0x90],
    [
      'a will whose answers go nowhere',
      connect({ will: { topic: 'w', payload: 'x', properties: { responseTopic: '#' } } }),
      0x90,
    ],
    ['a packet that is too large', connect({ will: { topic: 'w', payload: 'x'.repeat(9000) } }), 0x95],
  ])('refuses %s', async (_name, packet, reasonCode) => {
    const { open5, server } = await startTestServer5()
    const client = await open5()
    client.send(packet)
    const connack = await client.next('connack')
    expect(connack.reasonCode).toBe(reasonCode)
    expect(connack.properties?.reasonString).toMatch(/^[A-Z0-9_]+: /)
    await client.raw.whenClosed()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('comes before what was sent together with CONNECT is handled', async () => {
    const { open5, acceptor } = await startTestServer5()
    const client = await open5()
    client.send(connect(), publish({ messageId: 1 }), publish({ messageId: 2 }), { cmd: 'pingreq' })
    await client.next('pingresp')
    await client.next('puback')
    await client.next('puback')
    expect(client.rest()).toMatchObject([{ cmd: 'connack', reasonCode: 0 }])
    expect(acceptor.received).toHaveLength(2)
  })

  test('is not owed to a device that comes while the door is shut: it goes to the next address', async () => {
    const { open5, server, count } = await startTestServer5()
    server.devices.shut()
    const client = await open5()
    client.send(connect())
    await client.raw.whenClosed()
    expect(client.rest()).toEqual([])
    expect(count('clients.sentAway')).toBe(1)
  })
})

describe('DISCONNECT of the server', () => {
  test('0x8E: another connection has the client id, whichever version it speaks', async () => {
    const { raw5, raw } = await startTestServer5()
    const first = await raw5({ clientId: 'd' })
    const second = await raw5({ clientId: 'd' })
    expect(await first.next('disconnect')).toMatchObject({ reasonCode: 0x8e })
    await first.raw.whenClosed()
    const third = await raw({ clientId: 'd' })
    expect(await second.next('disconnect')).toMatchObject({ reasonCode: 0x8e })
    const fourth = await raw5({ clientId: 'd' })
    await third.whenClosed()
    fourth.send({ cmd: 'pingreq' })
    await fourth.next('pingresp')
  })

  test('0x8D: the client was silent for one and a half times its keep-alive', async () => {
    const { raw5 } = await startTestServer5()
    const client = await raw5({ keepalive: 1 })
    const began = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 700))
    client.send(publish({ qos: 0 }))
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x8d })
    expect(performance.now() - began).toBeGreaterThan(2_100)
    await client.raw.whenClosed()
  })

  test('0x8B: the server shuts down', async () => {
    const { raw5, server } = await startTestServer5()
    const client = await raw5()
    const closed = server.close()
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x8b })
    client.raw.destroy()
    await closed
  })

  test.each([
    [null, undefined],
    ['gw-2.site:1883', 'gw-2.site:1883'],
  ])('0x9C: the server has peers and hands over; reference %s', async (serverReference, expected) => {
    const { raw5, server } = await startTestServer5({
      peers: { secret: 'a secret of some length', peers: [{ gateway: 'gw-2' }] },
      ...(serverReference !== null && { serverReference }),
    })
    const client = await raw5()
    server.devices.shut()
    const emptied = server.devices.empty({ atOnce: 5, pause: 1, patience: 500 }, new AbortController().signal)
    const last = await client.next('disconnect')
    expect(last.reasonCode).toBe(0x9c)
    expect(last.properties?.serverReference).toBe(expected)
    client.raw.destroy()
    await emptied
  })

  test.each([
    ['0x82: a second CONNECT', 0x82, 'SECOND_CONNECT', connectPacket({ level: 5 })],
    ['0x82: AUTH', 0x82, 'PROTOCOL_ERROR', frame(0xf0, [])],
    ['0x82: a packet that only servers send', 0x82, 'PACKET_TYPE_FORBIDDEN', frame(0x20, [0, 0, 0])],
    ['0x81: flags that are reserved', 0x81, 'FLAGS_RESERVED', frame(0xc1, [])],
    ['0x95: a publish that is too large', 0x95, 'PACKET_TOO_LARGE', Buffer.from([0x30, 0xff, 0xff, 0x7f])],
    ['0x81: a length without end', 0x81, 'LENGTH_MALFORMED', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])],
    ['0x90: a topic with a wildcard', 0x90, 'TOPIC_WILDCARD', frame(0x30, [0, 1, 0x2b, 0])],
    [
      '0x90: a response topic with a wildcard',
      0x90,
      'RESPONSE_TOPIC_WILDCARD',
      frame(0x30, [0, 1, 97, 4, 8, 0, 1, 35]),
    ],
    ['0x81: a topic that is no UTF-8', 0x81, 'TOPIC_NOT_UTF8', frame(0x30, [0, 1, 0xff, 0])],
    ['0x82: a packet identifier of zero', 0x82, 'PACKET_ID_ZERO', frame(0x32, [0, 1, 97, 0, 0, 0])],
    ['0x81: QoS 3', 0x81, 'QOS_INVALID', frame(0x36, [0, 1, 97, 0, 1, 0])],
    ['0x82: a property twice', 0x82, 'PROTOCOL_ERROR', frame(0x30, [0, 1, 97, 4, 1, 0, 1, 0])],
    ['0x82: a property of another packet', 0x82, 'PROTOCOL_ERROR', frame(0x30, [0, 1, 97, 3, 0x21, 0, 1])],
    ['0x82: a subscription identifier of a client', 0x82, 'PROTOCOL_ERROR', frame(0x30, [0, 1, 97, 2, 0x0b, 1])],
    ['0x81: a property that nobody knows', 0x81, 'PACKET_MALFORMED', frame(0x30, [0, 1, 97, 2, 0x77, 1])],
    ['0x8F: a filter that is none', 0x8f, 'FILTER_WILDCARD', frame(0x82, [0, 1, 0, 0, 2, 97, 35, 0])],
    ['0x82: SUBSCRIBE without a filter', 0x82, 'PROTOCOL_ERROR', frame(0x82, [0, 1, 0])],
    ['0x82: a subscription identifier of zero', 0x82, 'PROTOCOL_ERROR', frame(0x82, [0, 1, 2, 0x0b, 0, 0, 1, 97, 0])],
  ])('%s', async (_name, reasonCode, code, bytes) => {
    const { raw5, count } = await startTestServer5()
    const client = await raw5({ properties: { topicAliasMaximum: 0 } })
    client.raw.send(bytes)
    const last = await client.next('disconnect')
    expect(last.reasonCode).toBe(reasonCode)
    expect(last.properties?.reasonString).toMatch(new RegExp(`^${code}: `))
    await client.raw.whenClosed()
    expect(count(`violations.${code}` as 'violations.PROTOCOL_ERROR')).toBe(1)
  })
})

describe('wills', () => {
  const will = { topic: 'sensors/a/state', payload: 'gone', qos: 1 as const, retain: false }

  test('are published when the connection breaks, with what they say', async () => {
    const { raw5, acceptor, count } = await startTestServer5()
    const client = await raw5({
      will: { ...will, properties: { contentType: 'text/plain', userProperties: { why: 'x' } } },
    })
    client.raw.destroy()
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['gone']), PATIENCE)
    expect(acceptor.received[0]).toMatchObject({
      clientId: 'raw5',
      messageId: 0,
      said: { contentType: 'text/plain', user: [['why', 'x']] },
    })
    await vi.waitFor(() => expect(count('wills.accepted')).toBe(1), PATIENCE)
  })

  test('are not published after DISCONNECT 0x00, and are after 0x04', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const quiet = await raw5({ clientId: 'quiet', will: { ...will, payload: 'quiet' } })
    quiet.send({ cmd: 'disconnect', reasonCode: 0 })
    await quiet.raw.whenClosed()
    const loud = await raw5({ clientId: 'loud', will: { ...will, payload: 'loud' } })
    loud.send({ cmd: 'disconnect', reasonCode: 4 })
    await loud.raw.whenClosed()
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['loud']), PATIENCE)
  })

  test('wait for their delay, and are not published when the client comes back in time', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const properties = { sessionExpiryInterval: 60 }
    const options = { clean: false, properties, will: { ...will, properties: { willDelayInterval: 1 } } }
    const first = await raw5(options)
    first.raw.destroy()
    const second = await raw5(options)
    expect(second.connack.sessionPresent).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    expect(acceptor.texts()).toEqual([])
    second.raw.destroy()
    const before = performance.now()
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['gone']), PATIENCE)
    expect(performance.now() - before).toBeGreaterThan(800)
  })

  test('do not wait for longer than their session, nor for a server that shuts down', async () => {
    const { raw5, acceptor, server } = await startTestServer5()
    const delayed = { ...will, properties: { willDelayInterval: 600 } }
    const short = await raw5({ clientId: 'short', will: { ...delayed, payload: 'short' } })
    short.raw.destroy()
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['short']), PATIENCE)
    const long = await raw5({
      clientId: 'long',
      properties: { sessionExpiryInterval: 600 },
      will: { ...delayed, payload: 'long' },
    })
    long.raw.destroy()
    await vi.waitFor(() => expect(server.connections()).toBe(0), PATIENCE)
    await server.close()
    expect(acceptor.texts()).toEqual(['short', 'long'])
  })

  test('are published when the session is taken over by a clean start', async () => {
    const { raw5, acceptor } = await startTestServer5()
    const options = {
      properties: { sessionExpiryInterval: 60 },
      will: { ...will, properties: { willDelayInterval: 60 } },
    }
    const first = await raw5(options)
    first.raw.destroy()
    await raw5({ clean: true })
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(['gone']), PATIENCE)
  })
})

test('a session expiry in DISCONNECT counts, unless CONNECT had none', async () => {
  const { raw5 } = await startTestServer5()
  const properties = { sessionExpiryInterval: 60 }
  const subscribe = { cmd: 'subscribe' as const, messageId: 1, subscriptions: [{ topic: 'a', qos: 1 as const }] }
  const first = await raw5({ clean: false, properties })
  first.send(subscribe)
  await first.next('suback')
  first.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
  await first.raw.whenClosed()
  const second = await raw5({ clean: false })
  expect(second.connack.sessionPresent).toBe(false)
  second.send({ cmd: 'disconnect', reasonCode: 0, properties })
  expect(await second.next('disconnect')).toMatchObject({ reasonCode: 0x82 })
})
