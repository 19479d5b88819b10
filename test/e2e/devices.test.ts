import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { connectAsync } from 'mqtt'
import { describe, expect, it } from 'vitest'
import type { Site } from '../../simulators/site/index.ts'
import { seededRandom } from '../../sync/runtime/index.ts'
import { acknowledgedMore, expectNothingWrong, onSite, storedReadings } from '../support/site.ts'

const url = (site: Site): string => `mqtt://127.0.0.1:${site.addresses.mqttPort}`

async function socketTo(site: Site): Promise<Socket> {
  const socket = connectSocket(site.addresses.mqttPort, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** An error ends it as well as a farewell does. */
const ended = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => (socket.closed ? resolve(null) : socket.once('close', resolve)))

/** CONNECT of a persistent session. */
function connectFrame(clientId: string): Buffer {
  const id = Buffer.from(clientId)
  return Buffer.from([0x10, 12 + id.length, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 60, 0, id.length, ...id])
}

function publishFrame(topic: string, payload: string, options: { qos: 1 | 2; dup?: boolean; id: number }): Buffer {
  const name = Buffer.from(topic)
  const body = Buffer.from(payload)
  const first = 0x30 | (options.qos << 1) | (options.dup ? 8 : 0)
  return Buffer.from([first, 4 + name.length + body.length, 0, name.length, ...name, 0, options.id, ...body])
}

describe('devices that misbehave', () => {
  it('cost only themselves: 10,000 malformed frames while honest devices go on', { timeout: 90_000 }, async () => {
    await onSite({}, async (site) => {
      const random = seededRandom(11)
      const { pid } = site.gateway
      let sent = 0
      while (sent < 10_000) {
        const attackers = await Promise.all(Array.from({ length: 20 }, () => socketTo(site)))
        for (const socket of attackers) {
          socket.resume()
          if (random.next() < 0.7) socket.write(connectFrame(`attacker-${sent}`))
          for (let frame = 0; frame < 25; frame++, sent++) {
            const length = 1 + Math.floor(random.next() * 60)
            socket.write(Buffer.from(Array.from({ length }, () => Math.floor(random.next() * 256))))
          }
          socket.end()
        }
        await Promise.all(attackers.map(ended))
      }
      await acknowledgedMore(site, 100)
      expect(site.gateway.pid).toBe(pid)
      await expectNothingWrong(site)
    })
  })

  it('may stop reading or writing in the middle of a frame without holding up anybody', {
    timeout: 60_000,
  }, async () => {
    await onSite({ rate: 50 }, async (site) => {
      const frozen = await socketTo(site)
      frozen.write(connectFrame('frozen'))
      // SUBSCRIBE to everything, then never read again.
      frozen.write(Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0]))
      await once(frozen, 'data')
      frozen.pause()
      const slow = await socketTo(site)
      slow.write(connectFrame('slow'))
      slow.write(publishFrame('sensors/slow/x', '1', { qos: 1, id: 1 }).subarray(0, 7))
      await acknowledgedMore(site, 2000)
      frozen.destroy()
      slow.destroy()
      await expectNothingWrong(site)
    })
  })
})

describe('devices that repeat themselves', () => {
  it.each([
    ['a sequence number', { seq: 7, value: 1 }],
    ['an id', { id: 'abc', value: 1 }],
    ['a timestamp', { time: Date.now(), value: 1 }],
  ])('are stored once when they give %s, over a restart too', async (_, payload) => {
    await onSite({ devices: 2, rate: 10 }, async (site) => {
      for (let attempt = 0; attempt < 3; attempt++) {
        const client = await connectAsync(url(site), { clientId: 'device' })
        await client.publishAsync('sensors/repeater/x', JSON.stringify(payload), { qos: 1 })
        await client.publishAsync('sensors/repeater/x', JSON.stringify(payload), { qos: 1 })
        await client.endAsync()
        await site.killGateway()
        await site.gateway.start()
      }
      await expectNothingWrong(site)
      const stored = (await storedReadings(site)).filter(({ device }) => device === 'repeater')
      expect(stored).toHaveLength(1)
    })
  })

  it('are stored once at QoS 2 with nothing but a number, over kill -9 between PUBLISH and PUBREL', async () => {
    await onSite({ devices: 2, rate: 10 }, async (site) => {
      const publish = (dup: boolean): Buffer => publishFrame('sensors/bare/x', '21.5', { qos: 2, dup, id: 5 })
      let socket = await socketTo(site)
      socket.write(connectFrame('bare'))
      await once(socket, 'data')
      socket.write(publish(false))
      const [received] = await once(socket, 'data')
      expect([...received]).toEqual([0x50, 2, 0, 5])
      await site.killGateway()
      await site.gateway.start()
      socket.destroy()
      socket = await socketTo(site)
      socket.write(connectFrame('bare'))
      await once(socket, 'data')
      socket.write(publish(true))
      const [again] = await once(socket, 'data')
      expect([...again]).toEqual([0x50, 2, 0, 5])
      socket.write(Buffer.from([0x62, 2, 0, 5]))
      const [complete] = await once(socket, 'data')
      expect([...complete]).toEqual([0x70, 2, 0, 5])
      // Released: the same packet id now names another publish.
      socket.write(publish(false))
      await once(socket, 'data')
      socket.destroy()
      await expectNothingWrong(site)
      expect((await storedReadings(site)).filter(({ device }) => device === 'bare')).toHaveLength(2)
    })
  })

  it('are not taken for repeats when they restart and count from the beginning', async () => {
    await onSite({ devices: 2, rate: 10 }, async (site) => {
      const client = await connectAsync(url(site), { clientId: 'device' })
      const publish = (payload: object): Promise<unknown> =>
        client.publishAsync('sensors/restarter/x', JSON.stringify(payload), { qos: 1 })
      const now = Date.now() - 60_000
      for (let seq = 0; seq < 5; seq++) await publish({ value: seq, seq, time: now + seq * 1000 })
      for (let seq = 0; seq < 5; seq++) await publish({ value: seq, seq, time: now + 10_000 + seq * 1000 })
      for (let seq = 0; seq < 5; seq++) await publish({ value: seq, seq, session: 'boot-2' })
      await client.endAsync()
      await expectNothingWrong(site)
      expect((await storedReadings(site)).filter(({ device }) => device === 'restarter')).toHaveLength(15)
    })
  })
})

describe('local subscribers', () => {
  it('see every reading as it was published, and local messages too', async () => {
    await onSite({ devices: 2, rate: 10 }, async (site) => {
      const seen: string[] = []
      const subscriber = await connectAsync(url(site), { clientId: 'dashboard' })
      subscriber.on('message', (topic, payload) => seen.push(`${topic} ${payload.toString()}`))
      await subscriber.subscribeAsync(['sensors/me/#', 'local/#'])
      const publisher = await connectAsync(url(site), { clientId: 'me' })
      await publisher.publishAsync('sensors/me/temperature', '21.5', { qos: 1 })
      await publisher.publishAsync('local/lamp', 'on', { qos: 1 })
      await expect.poll(() => seen).toEqual(['sensors/me/temperature 21.5', 'local/lamp on'])
      await subscriber.endAsync()
      await publisher.endAsync()
      await expectNothingWrong(site)
    })
  })
})
