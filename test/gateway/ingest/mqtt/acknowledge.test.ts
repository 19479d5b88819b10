import { describe, expect, test, vi } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { storeFull } from './support/fake-acceptor.ts'
import { connectPacket, disconnectPacket, pingreqPacket, publishPacket, subscribePacket } from './support/packets.ts'
import { PATIENCE } from './support/raw-client.ts'

const PUBACK = 4

overBothWays(({ startTestServer }) => {
  describe('QoS 1', () => {
    test('is acknowledged only after the acceptor is done', async () => {
      const { acceptor, raw } = await startTestServer()
      acceptor.auto = false
      const device = await raw()
      device.send(publishPacket({ qos: 1, id: 7, topic: 'sensors/a/t', payload: '21.5' }))
      await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['21.5'])
      // A round trip on another connection: time enough for an acknowledgement that should not be there.
      const other = await raw({ clientId: 'other' })
      other.send(subscribePacket(['x']))
      await other.next(9)
      expect(device.packets).toEqual([])
      acceptor.answerAll()
      expect((await device.next(PUBACK)).body).toEqual(Buffer.from([0, 7]))
    })

    test('passes on everything the acceptor has to know', async () => {
      const { acceptor, raw } = await startTestServer()
      const before = Date.now()
      const device = await raw({ clientId: 'thermometer' })
      device.send(publishPacket({ qos: 1, id: 513, dup: true, topic: 'Zürich/°C', payload: Buffer.from([0, 255]) }))
      await device.next(PUBACK)
      const [publish] = acceptor.received
      expect(publish).toMatchObject({ clientId: 'thermometer', topic: 'Zürich/°C', qos: 1, dup: true, messageId: 513 })
      expect(publish?.payload).toEqual(Buffer.from([0, 255]))
      expect(publish?.received).toBeGreaterThanOrEqual(before)
      expect(publish?.received).toBeLessThanOrEqual(Date.now())
    })

    test('is acknowledged in the order of arrival, for every client, when commits answer in bursts', async () => {
      const { acceptor, raw } = await startTestServer()
      acceptor.auto = false
      const devices = await Promise.all([0, 1, 2].map((n) => raw({ clientId: `d${n}` })))
      const ids = Array.from({ length: 300 }, (_, i) => i + 1)
      for (const id of ids) for (const device of devices) device.send(publishPacket({ qos: 1, id, payload: `${id}` }))
      await vi.waitFor(() => {
        acceptor.answerAll()
        for (const device of devices) expect(device.ids(PUBACK)).toHaveLength(300)
      }, PATIENCE)
      for (const device of devices) expect(device.ids(PUBACK)).toEqual(ids)
      for (const n of [0, 1, 2]) {
        const order = acceptor.received.filter((each) => each.clientId === `d${n}`).map((each) => each.messageId)
        expect(order).toEqual(ids)
      }
    })

    test('that the acceptor refuses is never acknowledged: the connection is closed, other clients are not', async () => {
      const { acceptor, raw, count } = await startTestServer()
      const other = await raw({ clientId: 'other' })
      const device = await raw()
      acceptor.auto = false
      device.send(publishPacket({ qos: 1, id: 1 }), publishPacket({ qos: 1, id: 2 }), publishPacket({ qos: 1, id: 3 }))
      await expect.poll(() => acceptor.received.length, PATIENCE).toBe(3)
      const [first, second, third] = acceptor.received
      first?.done()
      second?.done(storeFull())
      third?.done()
      await device.whenClosed()
      expect(device.ids(PUBACK)).not.toContain(2)
      expect(count('publishes.refused')).toBe(1)
      acceptor.auto = true
      other.send(publishPacket({ qos: 1, id: 9 }))
      expect((await other.next(PUBACK)).body).toEqual(Buffer.from([0, 9]))
    })

    test('of a client that is gone before the commit harms nobody', async () => {
      const { acceptor, raw, server } = await startTestServer()
      acceptor.auto = false
      const device = await raw()
      device.send(publishPacket({ qos: 1, id: 1 }))
      await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
      device.destroy()
      await expect.poll(() => server.connections(), PATIENCE).toBe(0)
      acceptor.answerAll()
      acceptor.auto = true
      const again = await raw()
      again.send(publishPacket({ qos: 1, id: 1, dup: true }))
      await again.next(PUBACK)
      expect(acceptor.received.map((each) => each.dup)).toEqual([false, true])
    })
  })

  describe('QoS 0', () => {
    test('goes to the acceptor and gets no answer', async () => {
      const { acceptor, raw } = await startTestServer()
      const device = await raw()
      device.send(
        publishPacket({ payload: 'a' }),
        publishPacket({ payload: 'b' }),
        publishPacket({ qos: 1, id: 5, payload: 'c' }),
      )
      await device.next(PUBACK)
      expect(acceptor.received.map(({ text, qos, messageId }) => [text, qos, messageId])).toEqual([
        ['a', 0, 0],
        ['b', 0, 0],
        ['c', 1, 5],
      ])
      expect(device.packets).toEqual([])
    })

    test('sent together with CONNECT and DISCONNECT arrives', async () => {
      const { acceptor, open } = await startTestServer()
      const device = await open()
      const publishes = Array.from({ length: 200 }, (_, i) => publishPacket({ payload: `${i}` }))
      device.send(connectPacket(), ...publishes, disconnectPacket)
      await device.whenClosed()
      await expect.poll(() => acceptor.received.length, PATIENCE).toBe(200)
      expect(acceptor.texts()).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`))
    })
  })

  test.each([0, 1, 2])('QoS %i under $SYS/ is answered, but goes nowhere: reserved for the broker', async (qos) => {
    const { acceptor, raw, count } = await startTestServer()
    const dashboard = await raw({ clientId: 'dashboard' })
    dashboard.send(subscribePacket(['$SYS/broker/#']))
    await dashboard.next(9)
    const will = { topic: '$SYS/broker/will', payload: '0' }
    const bridge = await raw({ clientId: 'bridge', will })
    bridge.send(publishPacket({ topic: '$SYS/broker/state', qos, id: 1, retain: true }), pingreqPacket)
    if (qos > 0) await bridge.next(qos === 1 ? PUBACK : 5)
    await bridge.next(13)
    bridge.destroy()
    await expect.poll(() => count('publishes.reserved'), PATIENCE).toBe(2)
    dashboard.send(subscribePacket(['$SYS/broker/+']), pingreqPacket)
    await dashboard.next(13)
    expect(dashboard.packets.filter(({ type }) => type === 3)).toEqual([])
    expect(acceptor.received).toEqual([])
  })

  test('an answer to what goes nowhere waits for those of what came before (MQTT-4.6.0-2)', async () => {
    const { acceptor, raw } = await startTestServer()
    acceptor.auto = false
    const bridge = await raw({ clientId: 'bridge' })
    const to = (id: number, topic: string) => publishPacket({ topic, id, qos: 1 })
    bridge.send(to(1, 'a'), to(2, '$SYS/broker/state'), to(3, 'a'), to(4, '$SYS/broker/state'), pingreqPacket)
    await bridge.next(13)
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(2)
    expect(bridge.packets.filter(({ type }) => type === PUBACK)).toEqual([])
    acceptor.answerAll()
    const ids = () => bridge.packets.filter(({ type }) => type === PUBACK).map(({ body }) => body.readUInt16BE(0))
    await expect.poll(ids, PATIENCE).toEqual([1, 2, 3, 4])
  })
})
