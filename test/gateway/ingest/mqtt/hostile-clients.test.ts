import { connect } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { type Random, seededRandom } from '../../../../sync/runtime/index.ts'
import { overBothWays } from './support/both-ways.ts'
import {
  connectPacket,
  disconnectPacket,
  pingreqPacket,
  pubackPacket,
  pubcompPacket,
  publishPacket,
  pubrecPacket,
  pubrelPacket,
  subscribePacket,
  unsubscribePacket,
} from './support/packets.ts'
import { PATIENCE } from './support/raw-client.ts'
import { startTestServer } from './support/server.ts'

const CONNACK = 2
const PUBACK = 4

overBothWays(({ startTestServer }) => {
  describe('a violation', () => {
    test('costs the client its connection, and nobody else', async () => {
      const { raw, count, acceptor, server } = await startTestServer()
      const healthy = await raw({ clientId: 'healthy' })
      const hostile = await raw({ clientId: 'hostile' })
      hostile.send(publishPacket({ topic: 'a/#' }))
      await hostile.whenClosed()
      expect(count('violations.TOPIC_WILDCARD')).toBe(1)
      healthy.send(publishPacket({ qos: 1, id: 3 }))
      await healthy.next(PUBACK)
      expect(acceptor.received).toHaveLength(1)
      expect(server.connections()).toBe(1)
    })

    test('before CONNECT closes without a word', async () => {
      const { open, count } = await startTestServer()
      const hostile = await open()
      hostile.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
      await hostile.whenClosed()
      expect(hostile.packets).toEqual([])
      expect(count('violations.PACKET_TYPE_FORBIDDEN') + count('violations.FLAGS_RESERVED')).toBe(1)
    })

    test.each([
      ['a version that nobody speaks with CONNACK 1', connectPacket({ level: 6 }), 1],
      ['an empty client id for a persistent session with CONNACK 2', connectPacket({ clientId: '', clean: false }), 2],
      ['a client id that is too long with CONNACK 2', connectPacket({ clientId: 'x'.repeat(300) }), 2],
    ])('is answered where the client is owed it: %s', async (_name, bytes, code) => {
      const { open, server } = await startTestServer()
      const client = await open()
      client.send(bytes)
      expect((await client.next(CONNACK)).body).toEqual(Buffer.from([0, code]))
      await client.whenClosed()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
    })
  })

  describe('time and size', () => {
    test('a connection that does not get to CONNACK in time is cut: silent, or halfway through CONNECT', async () => {
      const { open, count, raw } = await startTestServer({ limits: { connectTimeout: 200 } })
      const silent = await open()
      const slow = await open()
      slow.send(connectPacket().subarray(0, 9))
      const prompt = await raw({ clientId: 'prompt' })
      await silent.whenClosed()
      await slow.whenClosed()
      expect(count('connections.timedOut')).toBe(2)
      prompt.send(pingreqPacket)
      await prompt.next(13)
    })

    test('a slow authentication counts as not getting there', async () => {
      const { open, count } = await startTestServer({
        limits: { connectTimeout: 200 },
        access: { authenticate: () => new Promise(() => undefined) },
      })
      const client = await open()
      client.send(connectPacket())
      await client.whenClosed()
      expect(count('connections.timedOut')).toBe(1)
    })

    test('CONNECT that announces 256 MiB is cut by its fixed header', async () => {
      const { open, count } = await startTestServer()
      const hostile = await open()
      hostile.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]))
      await hostile.whenClosed()
      expect(count('violations.PACKET_TOO_LARGE')).toBe(1)
    })

    test('a client that stops halfway through a packet is cut by its keep-alive', async () => {
      const { raw, count } = await startTestServer()
      const device = await raw({ keepalive: 1 })
      device.send(publishPacket({ payload: Buffer.alloc(1000) }).subarray(0, 500))
      await device.whenClosed()
      expect(count('clients.failed')).toBe(1)
    })

    test('no keep-alive, or too long a one, is treated as the longest allowed', async () => {
      const { raw } = await startTestServer({ limits: { maxKeepAlive: 1000 } })
      const none = await raw({ clientId: 'none', keepalive: 0 })
      const long = await raw({ clientId: 'long', keepalive: 65_535 })
      await none.whenClosed()
      await long.whenClosed()
    })

    test('publishes that come in small pieces are all served', async () => {
      const { raw, acceptor } = await startTestServer()
      const device = await raw()
      device.socket.setNoDelay(true)
      const bytes = Buffer.concat(
        [1, 2, 3].map((id) => publishPacket({ qos: 1, id, topic: 'sensors/ä/t', payload: `${id}` })),
      )
      for (const byte of bytes) {
        device.send(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
      await expect.poll(() => device.ids(PUBACK), PATIENCE).toEqual([1, 2, 3])
      expect(acceptor.texts()).toEqual(['1', '2', '3'])
    })
  })

  describe('client ids', () => {
    test('a new connection takes over (MQTT-3.1.4-2)', async () => {
      const { raw, server, count } = await startTestServer()
      const old = await raw({ clientId: 'd' })
      const young = await raw({ clientId: 'd' })
      await old.whenClosed()
      expect(count('clients.takenOver')).toBe(1)
      await expect.poll(() => server.connections(), PATIENCE).toBe(1)
      young.send(publishPacket({ qos: 1, id: 1 }))
      await young.next(PUBACK)
    })

    test('a hundred connections with one id at once leave one, and the count right', async () => {
      const { open, server, count } = await startTestServer()
      const clients = await Promise.all(Array.from({ length: 100 }, () => open()))
      for (const client of clients) client.send(connectPacket({ clientId: 'd' }))
      await expect.poll(() => count('clients.takenOver'), PATIENCE).toBe(99)
      await expect.poll(() => server.connections(), PATIENCE).toBe(1)
      await expect.poll(() => clients.filter((client) => client.closed).length, PATIENCE).toBe(99)
      const [left] = clients.filter((client) => !client.closed)
      left?.send(publishPacket({ qos: 1, id: 1 }))
      await left?.next(PUBACK)
      left?.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
    })

    test('a connection that fails to authenticate does not take over', async () => {
      const { raw, open } = await startTestServer({ access: { authenticate: (_id, username) => username === 'right' } })
      const owner = await raw({ clientId: 'd', username: 'right' })
      const thief = await open()
      thief.send(connectPacket({ clientId: 'd', username: 'wrong' }))
      await thief.whenClosed()
      owner.send(publishPacket({ qos: 1, id: 1 }))
      await owner.next(PUBACK)
      // And the owner is still known under its id: the next one takes over from it.
      await raw({ clientId: 'd', username: 'right' })
      await owner.whenClosed()
    })

    test('names of object members are ids like any other', async () => {
      const { raw } = await startTestServer()
      for (const clientId of ['__proto__', 'constructor', 'toString']) {
        const device = await raw({ clientId, clean: false })
        device.send(subscribePacket([clientId], 1), publishPacket({ topic: clientId, qos: 2, id: 1 }), pubrelPacket(1))
        await device.next(7)
      }
    })
  })
})

test('10,000 malformed frames: the process lives, a healthy client is served, no socket is left', async () => {
  const { port, server, client, acceptor } = await startTestServer()
  const healthy = await client({ clientId: 'healthy' })
  const random = seededRandom(20_260_101)
  let sent = 0
  let served = 0
  const attack = async (): Promise<void> => {
    while (sent < 10_000) {
      sent++
      const socket = connect(port, '127.0.0.1')
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.on('error', () => socket.destroy())
      socket.resume()
      socket.end(malformed(random))
      await closed
      if (sent % 50 === 0) {
        await healthy.publishAsync('healthy', `${sent}`, { qos: 1 })
        served++
      }
    }
  }
  await Promise.all(Array.from({ length: 40 }, attack))
  expect(served).toBeGreaterThan(100)
  await healthy.publishAsync('healthy', 'last', { qos: 1 })
  expect(acceptor.received.filter(({ topic }) => topic === 'healthy')).toHaveLength(served + 1)
  await vi.waitFor(() => expect(server.connections()).toBe(1), PATIENCE)
}, 120_000)

/** Noise, or a proper conversation with some bytes changed, repeated or missing. */
function malformed(random: Random): Buffer {
  const upTo = (limit: number): number => Math.floor(random.next() * limit)
  const noise = Buffer.from(random.hex(1 + upTo(64)), 'hex')
  const packets = [
    publishPacket({ topic: 'attack/a', qos: upTo(3), id: 1 + upTo(100), payload: noise }),
    subscribePacket(['attack/#', '+'], upTo(3)),
    unsubscribePacket(['attack/#']),
    pubrelPacket(1 + upTo(9)),
    pubackPacket(1 + upTo(9)),
    pubrecPacket(1 + upTo(9)),
    pubcompPacket(1 + upTo(9)),
    pingreqPacket,
    disconnectPacket,
  ]
  const open = connectPacket({
    clientId: `attacker-${upTo(20)}`,
    clean: random.next() < 0.5,
    will: { topic: 'attack/w', payload: 'x' },
  })
  const packet = packets[upTo(packets.length)] ?? noise
  switch (upTo(5)) {
    case 0:
      return noise
    case 1:
      return Buffer.concat([open, noise])
    case 2:
      return Buffer.concat([open, packet, packet.subarray(0, upTo(packet.length))])
    default: {
      const bytes = Buffer.concat([open, packet, packet])
      for (let n = 1 + upTo(3); n > 0; n--) bytes[upTo(bytes.length)] = upTo(256)
      return bytes
    }
  }
}
