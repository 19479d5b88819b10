import { expect, test } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { storeFull } from './support/fake-acceptor.ts'
import { connectPacket, disconnectPacket, pingreqPacket, publishPacket, subscribePacket } from './support/packets.ts'
import { PATIENCE } from './support/raw-client.ts'

const will = { topic: 'sensors/a/online', payload: 'false', qos: 1, retain: true }

overBothWays(({ startTestServer }) => {
  test('the will of a client that vanishes goes to the acceptor, then to local subscribers', async () => {
    const { acceptor, raw, count } = await startTestServer()
    const dashboard = await raw({ clientId: 'dashboard' })
    dashboard.send(subscribePacket(['sensors/#']))
    await dashboard.next(9)
    acceptor.auto = false
    const device = await raw({ clientId: 'd', will })
    device.destroy()
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
    expect(acceptor.received[0]).toMatchObject({
      clientId: 'd',
      topic: 'sensors/a/online',
      text: 'false',
      qos: 1,
      messageId: 0,
    })
    dashboard.send(pingreqPacket)
    await dashboard.next(13)
    expect(dashboard.packets).toEqual([])
    acceptor.answerAll()
    expect((await dashboard.next(3)).body.toString()).toContain('false')
    expect(count('wills.accepted')).toBe(1)
  })

  test.each(['closes', 'is reset', 'breaks the protocol', 'is taken over'])(
    'the will of a connection that %s goes behind its publishes under way, which are accepted all the same',
    async (end) => {
      const { acceptor, raw, count } = await startTestServer()
      acceptor.auto = false
      const dashboard = await raw({ clientId: 'dashboard' })
      dashboard.send(subscribePacket(['sensors/#']))
      await dashboard.next(9)
      const device = await raw({ clientId: 'd', will })
      device.send(publishPacket({ qos: 1, id: 1, payload: 'a' }), publishPacket({ payload: 'b' }))
      await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['a', 'b'])
      if (end === 'closes') device.destroy()
      else if (end === 'is reset') device.socket.resetAndDestroy()
      else if (end === 'breaks the protocol') device.send(connectPacket())
      else await raw({ clientId: 'd' })
      await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['a', 'b', 'false'])
      acceptor.answerAll()
      await expect.poll(() => dashboard.packets.at(-1)?.body.toString(), PATIENCE).toContain('false')
      expect(dashboard.packets.some(({ body }) => body.toString().endsWith('b'))).toBe(true)
      expect(device.ids(4)).toEqual([])
      expect(count('wills.accepted')).toBe(1)
    },
  )

  test('DISCONNECT discards the will (MQTT-3.14.4-3)', async () => {
    const { acceptor, raw, server } = await startTestServer()
    const device = await raw({ clientId: 'd', will })
    device.send(disconnectPacket)
    await device.whenClosed()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
    expect(acceptor.received).toEqual([])
  })

  test('a violation publishes the will', async () => {
    const { acceptor, raw, count } = await startTestServer()
    const device = await raw({ clientId: 'd', will })
    device.send(connectPacket())
    await device.whenClosed()
    await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['false'])
    expect(count('violations.SECOND_CONNECT')).toBe(1)
  })

  test('a will the acceptor refuses is not shown to local subscribers, and counted', async () => {
    const { acceptor, raw, count } = await startTestServer()
    const dashboard = await raw({ clientId: 'dashboard' })
    dashboard.send(subscribePacket(['sensors/#']))
    await dashboard.next(9)
    acceptor.refuseWith = storeFull()
    const device = await raw({ clientId: 'd', will })
    device.destroy()
    await expect.poll(() => count('wills.refused'), PATIENCE).toBe(1)
    dashboard.send(pingreqPacket)
    await dashboard.next(13)
    expect(dashboard.packets).toEqual([])
  })

  test('closing the server publishes the wills of its clients before close resolves', async () => {
    const { acceptor, raw, server } = await startTestServer()
    await raw({ clientId: 'd', will })
    await server.close()
    expect(acceptor.received.map(({ text, answered }) => [text, answered])).toEqual([['false', true]])
  })
})
