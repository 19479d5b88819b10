import { describe, expect, test, vi } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import {
  connectPacket,
  pingreqPacket,
  pubackPacket,
  pubcompPacket,
  publishPacket,
  pubrecPacket,
  subscribePacket,
  unsubscribePacket,
} from './support/packets.ts'
import { PATIENCE, type RawClient } from './support/raw-client.ts'

const PUBLISH = 3
const PUBACK = 4
const SUBACK = 9

interface Delivery {
  topic: string
  payload: string
  qos: number
  dup: boolean
  retain: boolean
  id: number
}

function deliveries(client: RawClient): Delivery[] {
  return client.packets
    .filter((packet) => packet.type === PUBLISH)
    .map(({ flags, body }) => {
      const end = 2 + body.readUInt16BE(0)
      const qos = (flags >> 1) & 3
      const payload = body.subarray(qos > 0 ? end + 2 : end).toString()
      const id = qos > 0 ? body.readUInt16BE(end) : 0
      return { topic: body.toString('utf8', 2, end), payload, qos, dup: (flags & 8) > 0, retain: (flags & 1) > 0, id }
    })
}

const payloads = (client: RawClient): string[] => deliveries(client).map(({ payload }) => payload)

/** Everything sent to the client before this call has come, because the answer to a ping comes after it. */
async function roundTrip(client: RawClient): Promise<void> {
  client.send(pingreqPacket)
  await client.next(13)
}

async function subscribe(client: RawClient, filters: readonly string[], qos = 0): Promise<number[]> {
  client.send(subscribePacket(filters, qos))
  return [...(await client.next(SUBACK)).body.subarray(2)]
}

overBothWays(({ startTestServer }) => {
  describe('local subscribers', () => {
    test('see a reading after the acceptor is done, not before', async () => {
      const { acceptor, client } = await startTestServer()
      const got: string[] = []
      const dashboard = await client({ clientId: 'dashboard' })
      dashboard.on('message', (topic, payload) => got.push(`${topic}=${payload}`))
      await dashboard.subscribeAsync('sensors/+/t', { qos: 1 })
      const device = await client({ clientId: 'd' })
      acceptor.auto = false
      const published = device.publishAsync('sensors/a/t', '21.5', { qos: 1 })
      await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
      await dashboard.subscribeAsync('other')
      expect(got).toEqual([])
      acceptor.answerAll()
      await published
      await expect.poll(() => got, PATIENCE).toEqual(['sensors/a/t=21.5'])
    })

    test('get each message at the lower of both QoS, without the DUP flag of the publisher', async () => {
      const { raw } = await startTestServer()
      const device = await raw({ clientId: 'd' })
      const subscribers = await Promise.all([0, 1, 2].map((qos) => raw({ clientId: `s${qos}` })))
      for (const [qos, each] of subscribers.entries()) expect(await subscribe(each, ['a/+'], qos)).toEqual([qos])
      device.send(
        publishPacket({ topic: 'a/0', qos: 0, payload: '0' }),
        publishPacket({ topic: 'a/1', qos: 1, id: 1, payload: '1', dup: true }),
        publishPacket({ topic: 'a/2', qos: 2, id: 2, payload: '2', dup: true }),
      )
      for (const [granted, each] of subscribers.entries()) {
        await expect.poll(() => payloads(each), PATIENCE).toHaveLength(3)
        const byPayload = deliveries(each).sort((a, b) => Number(a.payload) - Number(b.payload))
        expect(byPayload.map(({ qos }) => qos)).toEqual([0, 1, 2].map((qos) => Math.min(qos, granted)))
        expect(byPayload.some(({ dup }) => dup)).toBe(false)
      }
    })

    test('with overlapping subscriptions get a message once and stay connected', async () => {
      const { raw } = await startTestServer()
      const dashboard = await raw({ clientId: 's', clean: false })
      await subscribe(dashboard, ['a/#', 'a/+', 'a/b'], 1)
      const device = await raw({ clientId: 'd' })
      device.send(publishPacket({ topic: 'a/b', qos: 1, id: 1, payload: 'x' }))
      await device.next(PUBACK)
      await expect.poll(() => payloads(dashboard), PATIENCE).toEqual(['x'])
      const [delivery] = deliveries(dashboard)
      dashboard.send(pubackPacket(delivery?.id ?? 0))
      await roundTrip(dashboard)
      expect(payloads(dashboard)).toEqual(['x'])
      expect(dashboard.closed).toBe(false)
    })

    test('lose nothing when QoS 0 follows QoS 2 and QoS 1 (no false duplicates)', async () => {
      const { raw } = await startTestServer()
      const dashboard = await raw({ clientId: 's', clean: false })
      await subscribe(dashboard, ['a'], 2)
      const device = await raw({ clientId: 'd' })
      const sent: string[] = []
      for (let i = 0; i < 60; i++) {
        sent.push(`${i}`)
        device.send(publishPacket({ topic: 'a', qos: i % 3, id: i + 1, payload: `${i}` }))
      }
      await expect.poll(() => payloads(dashboard).length, PATIENCE).toBe(60)
      expect(payloads(dashboard).sort((a, b) => Number(a) - Number(b))).toEqual(sent)
    })

    test('stop getting messages when they unsubscribe', async () => {
      const { raw, server } = await startTestServer()
      const dashboard = await raw({ clientId: 's' })
      await subscribe(dashboard, ['a', 'b'])
      dashboard.send(unsubscribePacket(['a']))
      await dashboard.next(11)
      server.publishLocal('a', '1')
      server.publishLocal('b', '2')
      await expect.poll(() => payloads(dashboard), PATIENCE).toEqual(['2'])
    })

    test('do not see topics under $ through a leading wildcard', async () => {
      const { raw, server } = await startTestServer()
      const dashboard = await raw({ clientId: 's' })
      await subscribe(dashboard, ['#', '+/a'])
      server.publishLocal('$internal/a', '1')
      server.publishLocal('plain/a', '2')
      await expect.poll(() => payloads(dashboard), PATIENCE).toEqual(['2'])
    })

    test('see what the gateway publishes itself, which does not go to the acceptor', async () => {
      const { raw, server, acceptor } = await startTestServer()
      const dashboard = await raw({ clientId: 's' })
      await subscribe(dashboard, ['alarms/#'], 1)
      server.publishLocal('alarms/a', 'raised', { qos: 1, retain: true })
      await expect
        .poll(() => deliveries(dashboard), PATIENCE)
        .toMatchObject([{ topic: 'alarms/a', qos: 1, retain: false }])
      expect(acceptor.received).toEqual([])
      const late = await raw({ clientId: 'late' })
      await subscribe(late, ['alarms/+'], 0)
      await expect.poll(() => deliveries(late), PATIENCE).toMatchObject([{ payload: 'raised', qos: 0, retain: true }])
    })
  })

  describe('slow and frozen subscribers', () => {
    test('a frozen one stalls neither the publisher nor other subscribers, and is cut', async () => {
      const { raw, count, acceptor } = await startTestServer({
        limits: { slowReaderBytes: 256 * 1024, drainTimeout: 300 },
      })
      const frozen = await raw({ clientId: 'frozen' })
      await subscribe(frozen, ['a'])
      frozen.socket.pause()
      const lively = await raw({ clientId: 'lively' })
      await subscribe(lively, ['a'])
      const device = await raw({ clientId: 'd' })
      const payload = Buffer.alloc(64 * 1024, 'x')
      for (let id = 1; id <= 400; id++) {
        device.send(publishPacket({ topic: 'a', qos: 1, id, payload }))
        await device.next(PUBACK)
      }
      await vi.waitFor(() => expect(payloads(lively)).toHaveLength(400), PATIENCE)
      expect(acceptor.received).toHaveLength(400)
      expect(count('forwards.droppedSlow')).toBeGreaterThan(0)
      await expect.poll(() => count('clients.failed'), PATIENCE).toBe(1)
      frozen.socket.resume()
      await frozen.whenClosed()
      expect(lively.closed).toBe(false)
    })
  })

  test('a subscriber to everything that reads nothing keeps no publisher waiting: thousands are acknowledged meanwhile', async () => {
    const { raw, count, acceptor } = await startTestServer({ limits: { slowReaderBytes: 16 * 1024 } })
    const frozen = await raw({ clientId: 'frozen' })
    await subscribe(frozen, ['#'], 1)
    frozen.socket.pause()
    const devices = await Promise.all(['a', 'b'].map((clientId) => raw({ clientId })))
    const each = 5_000
    const payload = 'x'.repeat(1_000)
    for (let id = 1; id <= each; id++) {
      for (const device of devices) device.send(publishPacket({ qos: 1, id, payload }))
    }
    const ids = Array.from({ length: each }, (_, n) => n + 1)
    for (const device of devices) await vi.waitFor(() => expect(device.ids(PUBACK)).toEqual(ids), PATIENCE)
    expect(acceptor.received).toHaveLength(2 * each)
    // It was still there when the last was acknowledged, and had been passed over.
    expect(frozen.closed).toBe(false)
    expect(count('clients.failed')).toBe(0)
    expect(count('forwards.droppedSlow')).toBeGreaterThan(0)
  })

  describe('retained messages', () => {
    test('are kept, replaced and cleared, and come with the flag to new subscribers only', async () => {
      const { raw, server } = await startTestServer()
      const device = await raw({ clientId: 'd' })
      device.send(
        publishPacket({ topic: 'a/1', qos: 1, id: 1, retain: true, payload: 'old' }),
        publishPacket({ topic: 'a/1', qos: 1, id: 2, retain: true, payload: 'new' }),
        publishPacket({ topic: 'a/2', qos: 1, id: 3, retain: true, payload: 'gone' }),
        publishPacket({ topic: 'a/2', qos: 1, id: 4, retain: true, payload: '' }),
        publishPacket({ topic: 'b', qos: 1, id: 5, retain: true, payload: 'other' }),
      )
      await expect.poll(() => device.ids(PUBACK).length, PATIENCE).toBe(5)
      const dashboard = await raw({ clientId: 's' })
      await subscribe(dashboard, ['a/1', 'a/+', '#'], 1)
      await expect.poll(() => deliveries(dashboard).length, PATIENCE).toBe(2)
      expect(deliveries(dashboard).map(({ topic, payload, qos, retain }) => [topic, payload, qos, retain])).toEqual([
        ['a/1', 'new', 1, true],
        ['b', 'other', 1, true],
      ])
      server.publishLocal('a/1', 'live', { retain: true })
      await expect.poll(() => deliveries(dashboard).at(-1), PATIENCE).toMatchObject({ payload: 'live', retain: false })
    })

    test('are bounded; what does not fit is counted and the publish still accepted', async () => {
      const { raw, count, acceptor } = await startTestServer({ limits: { maxRetainedMessages: 3 } })
      const device = await raw({ clientId: 'd' })
      for (let id = 1; id <= 10; id++) device.send(publishPacket({ topic: `a/${id}`, qos: 1, id, retain: true }))
      await expect.poll(() => device.ids(PUBACK).length, PATIENCE).toBe(10)
      expect(acceptor.received).toHaveLength(10)
      expect(count('retained.refused')).toBe(7)
      const dashboard = await raw({ clientId: 's' })
      await subscribe(dashboard, ['a/+'])
      await expect.poll(() => deliveries(dashboard).map(({ topic }) => topic), PATIENCE).toEqual(['a/1', 'a/2', 'a/3'])
    })
  })

  describe('persistent sessions', () => {
    test('keep QoS 1 messages for an absent client, repeat what was not acknowledged with DUP, forget what was', async () => {
      const { raw, server } = await startTestServer()
      const first = await raw({ clientId: 's', clean: false })
      await subscribe(first, ['a'], 1)
      first.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      for (const payload of ['1', '2', '3']) server.publishLocal('a', payload, { qos: 1 })
      server.publishLocal('a', 'QoS 0 is not kept', { qos: 0 })

      const second = await raw({ clientId: 's', clean: false })
      await expect.poll(() => payloads(second), PATIENCE).toEqual(['1', '2', '3'])
      expect(deliveries(second).every(({ dup }) => !dup)).toBe(true)
      const [one] = deliveries(second)
      second.send(pubackPacket(one?.id ?? 0))
      await roundTrip(second)
      second.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)

      const third = await raw({ clientId: 's', clean: false })
      await expect.poll(() => payloads(third), PATIENCE).toEqual(['2', '3'])
      expect(deliveries(third).every(({ dup }) => dup)).toBe(true)
      for (const { id } of deliveries(third)) third.send(pubackPacket(id))
      await roundTrip(third)
      third.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      const fourth = await raw({ clientId: 's', clean: false })
      await roundTrip(fourth)
      expect(fourth.packets).toEqual([])
    })

    test('repeat PUBREL, not the message, when QoS 2 had got that far', async () => {
      const { raw, server } = await startTestServer()
      const first = await raw({ clientId: 's', clean: false })
      await subscribe(first, ['a'], 2)
      server.publishLocal('a', 'x', { qos: 2 })
      await expect.poll(() => deliveries(first).length, PATIENCE).toBe(1)
      const id = deliveries(first)[0]?.id ?? 0
      first.send(pubrecPacket(id))
      await first.next(6)
      first.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      const second = await raw({ clientId: 's', clean: false })
      expect((await second.next(6)).body.readUInt16BE(0)).toBe(id)
      second.send(pubcompPacket(id))
      await roundTrip(second)
      expect(second.packets).toEqual([])
      second.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      const third = await raw({ clientId: 's', clean: false })
      await roundTrip(third)
      expect(third.packets).toEqual([])
    })

    test('end with a clean one', async () => {
      const { raw, server } = await startTestServer()
      const first = await raw({ clientId: 's', clean: false })
      await subscribe(first, ['a'], 1)
      first.destroy()
      const clean = await raw({ clientId: 's', clean: true })
      clean.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      server.publishLocal('a', 'x', { qos: 1 })
      const again = await raw({ clientId: 's', clean: false })
      server.publishLocal('a', 'y', { qos: 1 })
      await roundTrip(again)
      expect(again.packets).toEqual([])
    })

    test('are bounded: a full queue drops the newest, a connected subscriber with a full queue stays connected', async () => {
      const { raw, server, count } = await startTestServer({ limits: { maxQueuedMessages: 3 } })
      const first = await raw({ clientId: 's', clean: false })
      await subscribe(first, ['a'], 1)
      for (let i = 0; i < 10; i++) server.publishLocal('a', `${i}`, { qos: 1 })
      await expect.poll(() => payloads(first).length, PATIENCE).toBe(10)
      await roundTrip(first)
      expect(count('sessions.droppedQueueFull')).toBe(7)
      first.destroy()
      const second = await raw({ clientId: 's', clean: false })
      await expect.poll(() => payloads(second), PATIENCE).toEqual(['0', '1', '2'])
    })
  })

  describe('access', () => {
    const mayReceive = (_clientId: string, filter: string): boolean => !filter.startsWith('secret')

    test('a denied filter beside an allowed one gives nothing, also after a reconnect and from the queue', async () => {
      const { raw, server, count } = await startTestServer({ access: { mayReceive } })
      const first = await raw({ clientId: 's', clean: false })
      expect(await subscribe(first, ['open', 'secret/#'], 1)).toEqual([1, 0x80])
      expect(count('subscriptions.refused')).toBe(1)
      const publish = (n: number): void => {
        server.publishLocal('secret/a', `secret ${n}`, { qos: 1 })
        server.publishLocal('open', `open ${n}`, { qos: 1 })
      }
      publish(1)
      await expect.poll(() => payloads(first), PATIENCE).toEqual(['open 1'])
      first.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      publish(2)
      const second = await raw({ clientId: 's', clean: false })
      publish(3)
      await expect.poll(() => payloads(second), PATIENCE).toEqual(['open 1', 'open 2', 'open 3'])
      await roundTrip(second)
      expect(payloads(second)).toHaveLength(3)
    })

    test('what was kept before a permission was taken away does not go out', async () => {
      let allowed = true
      const { raw, server, count } = await startTestServer({ access: { mayReceive: () => allowed } })
      const first = await raw({ clientId: 's', clean: false })
      await subscribe(first, ['a'], 1)
      first.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      server.publishLocal('a', 'x', { qos: 1 })
      allowed = false
      const second = await raw({ clientId: 's', clean: false })
      await roundTrip(second)
      expect(second.packets).toEqual([])
      expect(count('forwards.droppedUnauthorized')).toBe(1)
    })

    test('too many subscriptions are refused one by one, also all at once, and make room again', async () => {
      const { raw, count } = await startTestServer({ limits: { maxSubscriptionsPerClient: 50 } })
      const client = await raw({ clientId: 's', clean: false })
      const filters = (n: number): string[] => Array.from({ length: 100 }, (_, i) => `${n}/${i}`)
      client.send(...Array.from({ length: 20 }, (_, n) => subscribePacket(filters(n), 1, n + 1)))
      await expect.poll(() => client.ids(SUBACK).length, PATIENCE).toBe(20)
      expect(count('subscriptions.refused')).toBe(1950)
      client.packets.length = 0
      client.send(unsubscribePacket(['0/0']))
      await client.next(11)
      expect(await subscribe(client, ['0/1', 'a', 'b'], 1)).toEqual([1, 1, 0x80])
    })

    test('what was refused because it was too much is not kept either', async () => {
      const { raw, server, count } = await startTestServer({ limits: { maxSubscriptionsPerClient: 1 } })
      const first = await raw({ clientId: 's', clean: false })
      expect(await subscribe(first, ['a', 'b'], 1)).toEqual([1, 0x80])
      expect(await subscribe(first, ['a', 'c'], 1)).toEqual([1, 0x80])
      first.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      for (const topic of ['a', 'b', 'c']) server.publishLocal(topic, topic, { qos: 1 })
      const second = await raw({ clientId: 's', clean: false })
      await expect.poll(() => payloads(second), PATIENCE).toEqual(['a'])
      await roundTrip(second)
      expect(count('forwards.droppedUnauthorized')).toBe(0)
    })

    test.each([
      ['no', () => false],
      ['a rejection', () => Promise.reject(new Error('directory down'))],
      [
        'an exception',
        () => {
          throw new Error('broken')
        },
      ],
    ])('%s as the answer to authentication refuses the client with CONNACK 5', async (_name, authenticate) => {
      const { open, count, acceptor } = await startTestServer({ access: { authenticate } })
      const client = await open()
      client.send(connectPacket({ username: 'u', password: 'p' }), publishPacket({ payload: 'smuggled' }))
      expect((await client.next(2)).body[1]).toBe(5)
      await client.whenClosed()
      expect(count('clients.authenticationFailed')).toBe(1)
      expect(acceptor.received).toEqual([])
    })
  })
})
