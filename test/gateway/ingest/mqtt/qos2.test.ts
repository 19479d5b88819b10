import { expect, test } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { storeFull } from './support/fake-acceptor.ts'
import { connectPacket, publishPacket, pubrelPacket, subscribePacket } from './support/packets.ts'
import { PATIENCE, type RawClient } from './support/raw-client.ts'

const PUBLISH = 3
const PUBREC = 5
const PUBCOMP = 7

async function subscriber(raw: (options: { clientId: string }) => Promise<RawClient>): Promise<RawClient> {
  const client = await raw({ clientId: 'dashboard' })
  client.send(subscribePacket(['sensors/#']))
  await client.next(9)
  return client
}

/** Payloads of the messages a QoS 0 subscriber got. */
const payloads = (client: RawClient): string[] =>
  client.packets
    .filter((packet) => packet.type === PUBLISH)
    .map((packet) => packet.body.subarray(2 + packet.body.readUInt16BE(0)).toString())

overBothWays(({ startTestServer }) => {
  test('PUBREC only after the acceptor is done; PUBREL is reported before PUBCOMP', async () => {
    const { acceptor, raw } = await startTestServer()
    const device = await raw({ clientId: 'd' })
    acceptor.releases.length = 0
    acceptor.auto = false
    device.send(publishPacket({ qos: 2, id: 4, payload: 'x' }))
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
    expect(device.packets).toEqual([])
    acceptor.answerAll()
    expect((await device.next(PUBREC)).body).toEqual(Buffer.from([0, 4]))
    expect(acceptor.releases).toEqual([])
    device.send(pubrelPacket(4))
    expect((await device.next(PUBCOMP)).body).toEqual(Buffer.from([0, 4]))
    expect(acceptor.releases).toEqual([['d', 4]])
    expect(acceptor.received).toHaveLength(1)
  })

  test('PUBCOMP waits until the release is durable, and does not come when it cannot be', async () => {
    const { acceptor, raw } = await startTestServer()
    const device = await raw({ clientId: 'd', clean: false })
    const release = async (id: number): Promise<(error?: Error) => void> => {
      device.send(publishPacket({ qos: 2, id, payload: 'x' }))
      await device.next(PUBREC)
      let settle = (_?: Error): void => {}
      acceptor.releasing = new Promise((resolve, reject) => {
        settle = (error) => (error ? reject(error) : resolve())
      })
      device.send(pubrelPacket(id))
      await expect.poll(() => acceptor.releases.at(-1), PATIENCE).toEqual(['d', id])
      return settle
    }
    const durable = await release(4)
    expect(device.packets.filter(({ type }) => type === PUBCOMP)).toEqual([])
    durable()
    await device.next(PUBCOMP)
    const failed = await release(5)
    failed(storeFull())
    await device.whenClosed()
    expect(device.packets.filter(({ type }) => type === PUBCOMP)).toEqual([])
  })

  test('each transmission goes to the acceptor once, a local subscriber sees the message once', async () => {
    const { acceptor, raw } = await startTestServer()
    const dashboard = await subscriber(raw)
    const device = await raw({ clientId: 'd', clean: false })
    const send = (dup: boolean): void => device.send(publishPacket({ qos: 2, id: 4, dup, payload: 'once' }))
    send(false)
    await device.next(PUBREC)
    send(true)
    await device.next(PUBREC)
    device.destroy()
    const again = await raw({ clientId: 'd', clean: false })
    again.send(publishPacket({ qos: 2, id: 4, dup: true, payload: 'once' }))
    await again.next(PUBREC)
    again.send(pubrelPacket(4))
    await again.next(PUBCOMP)
    expect(acceptor.received.map(({ dup, messageId }) => [dup, messageId])).toEqual([
      [false, 4],
      [true, 4],
      [true, 4],
    ])
    again.send(publishPacket({ qos: 2, id: 4, payload: 'another' }))
    await again.next(PUBREC)
    await expect.poll(() => payloads(dashboard), PATIENCE).toEqual(['once', 'another'])
  })

  test('a repeat that is answered together with the original is seen once by local subscribers', async () => {
    const { acceptor, raw } = await startTestServer()
    const dashboard = await subscriber(raw)
    const device = await raw({ clientId: 'd', clean: false })
    acceptor.auto = false
    device.send(publishPacket({ qos: 2, id: 4, payload: 'once' }))
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
    const again = await raw({ clientId: 'd', clean: false })
    again.send(publishPacket({ qos: 2, id: 4, dup: true, payload: 'once' }))
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(2)
    acceptor.answerAll()
    await again.next(PUBREC)
    acceptor.auto = true
    again.send(pubrelPacket(4), publishPacket({ payload: 'after' }))
    await expect.poll(() => payloads(dashboard).at(-1), PATIENCE).toBe('after')
    expect(payloads(dashboard)).toEqual(['once', 'after'])
  })

  test('PUBREL of an identifier nobody knows (after a restart) is reported and completed all the same', async () => {
    const { acceptor, raw } = await startTestServer()
    const device = await raw({ clientId: 'd', clean: false })
    device.send(pubrelPacket(99))
    expect((await device.next(PUBCOMP)).body).toEqual(Buffer.from([0, 99]))
    expect(acceptor.releases).toEqual([['d', 99]])
  })

  test('a clean session releases every identifier, a persistent one none', async () => {
    const { acceptor, raw } = await startTestServer()
    const first = await raw({ clientId: 'd', clean: false })
    first.send(publishPacket({ qos: 2, id: 4 }))
    await first.next(PUBREC)
    first.destroy()
    const second = await raw({ clientId: 'd', clean: false })
    expect(acceptor.releases).toEqual([])
    second.destroy()
    await raw({ clientId: 'd', clean: true })
    expect(acceptor.releases).toEqual([['d', null]])
  })

  test('a clean session that ends releases its identifiers (MQTT-3.1.2-6)', async () => {
    const { acceptor, raw, server } = await startTestServer()
    const device = await raw({ clientId: 'd' })
    device.send(publishPacket({ qos: 2, id: 4 }))
    await device.next(PUBREC)
    acceptor.releases.length = 0
    device.destroy()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
    await expect.poll(() => acceptor.releases, PATIENCE).toEqual([['d', null]])
  })

  test('a stranger who uses the client id and fails to authenticate releases nothing', async () => {
    const { acceptor, raw, open } = await startTestServer({
      access: { authenticate: (_id, username) => username === 'right' },
    })
    const device = await raw({ clientId: 'd', username: 'right', clean: false })
    device.send(publishPacket({ qos: 2, id: 4 }))
    await device.next(PUBREC)
    const stranger = await open()
    stranger.send(connectPacket({ clientId: 'd', username: 'wrong', clean: true }))
    expect((await stranger.next(2)).body[1]).toBe(5)
    await stranger.whenClosed()
    expect(acceptor.releases).toEqual([])
    device.send(pubrelPacket(4))
    await device.next(PUBCOMP)
  })

  test('a refused publish gets no PUBREC, and its repeat is a new chance', async () => {
    const { acceptor, raw } = await startTestServer()
    const dashboard = await subscriber(raw)
    acceptor.refuseWith = storeFull()
    const device = await raw({ clientId: 'd', clean: false })
    device.send(publishPacket({ qos: 2, id: 4, payload: 'late' }))
    await device.whenClosed()
    expect(device.packets).toEqual([])
    acceptor.refuseWith = null
    const again = await raw({ clientId: 'd', clean: false })
    again.send(publishPacket({ qos: 2, id: 4, dup: true, payload: 'late' }))
    await again.next(PUBREC)
    await expect.poll(() => payloads(dashboard), PATIENCE).toEqual(['late'])
  })

  test('identifiers that are never released are bounded: one too many ends the connection', async () => {
    const { raw, server } = await startTestServer({ limits: { maxUnreleased: 10 } })
    const device = await raw({ clientId: 'd', clean: false })
    for (let id = 1; id <= 10; id++) device.send(publishPacket({ qos: 2, id }))
    await expect.poll(() => device.ids(PUBREC).length, PATIENCE).toBe(10)
    device.send(publishPacket({ qos: 2, id: 11 }))
    await device.whenClosed()
    // The bound belongs to the session, not to the connection.
    const again = await raw({ clientId: 'd', clean: false })
    again.send(publishPacket({ qos: 2, id: 12 }))
    await again.whenClosed()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('mqtt.js publishes at QoS 2 to a QoS 2 subscriber exactly once', async () => {
    const { acceptor, client } = await startTestServer()
    const got: string[] = []
    const listener = await client({ clientId: 'listener' })
    listener.on('message', (_topic, payload) => got.push(payload.toString()))
    await listener.subscribeAsync('sensors/#', { qos: 2 })
    const device = await client({ clientId: 'd' })
    await Promise.all(Array.from({ length: 50 }, (_, i) => device.publishAsync('sensors/a/t', `${i}`, { qos: 2 })))
    await expect.poll(() => got.length, PATIENCE).toBe(50)
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
    expect(acceptor.received).toHaveLength(50)
    expect(acceptor.releases.filter(([id, messageId]) => id === 'd' && messageId !== null)).toHaveLength(50)
  })
})
