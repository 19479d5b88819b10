import { expect, onTestFinished, test } from 'vitest'
import type { MqttAccess } from '../../../../gateway/ingest/mqtt/access.ts'
import { createBroker } from '../../../../gateway/ingest/mqtt/broker.ts'
import { defaultMqttLimits } from '../../../../gateway/ingest/mqtt/settings.ts'
import { systemClock } from '../../../../sync/runtime/index.ts'
import { overBothWays } from './support/both-ways.ts'
import { FakeAcceptor } from './support/fake-acceptor.ts'
import { connectPacket, publishPacket } from './support/packets.ts'
import { Peer, turn } from './support/peer.ts'
import { PATIENCE } from './support/raw-client.ts'
import { lendingWire } from './support/wire.ts'

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

overBothWays(({ directWay }) => {
  async function setUp(access: MqttAccess) {
    const acceptor = new FakeAcceptor()
    const counters = { increment: () => undefined }
    const broker = await createBroker({
      acceptor,
      limits: defaultMqttLimits,
      clock: systemClock,
      log,
      counters,
      access,
      directWay,
    })
    onTestFinished(() => broker.close(100))
    return { acceptor, broker }
  }

  /** The library lets a packet through whose bytes come between the parsing of CONNECT and its handling. */
  test.each([0, 1, 2, 3, 4, 5])(
    'a publish %i steps behind CONNECT does not slip in before the authentication',
    async (steps) => {
      const { acceptor, broker } = await setUp({ authenticate: (_id, username) => username === 'right' })
      const send = async (username: string): Promise<Peer> => {
        const peer = new Peer()
        broker.attach(lendingWire(peer), 'peer')
        await turn()
        peer.push(connectPacket({ clientId: 'd', username }))
        for (let n = 0; n < steps; n++) await new Promise<void>((resolve) => process.nextTick(resolve))
        for (const payload of ['a', 'b']) peer.push(publishPacket({ payload: `${username}-${payload}` }))
        return peer
      }
      const stranger = await send('wrong')
      await expect.poll(() => stranger.destroyed, PATIENCE).toBe(true)
      expect(acceptor.texts()).toEqual([])
      await send('right')
      await expect.poll(() => acceptor.received.length, PATIENCE).toBe(2)
      expect(acceptor.received.map(({ clientId, text }) => [clientId, text])).toEqual([
        ['d', 'right-a'],
        ['d', 'right-b'],
      ])
    },
  )

  test('connections that take over an id, or die on the way to it, leave one that can be taken over from', async () => {
    const { broker, acceptor } = await setUp({})
    const first = new Peer()
    broker.attach(lendingWire(first), 'first')
    first.push(connectPacket({ clientId: 'd' }))
    await expect.poll(() => first.written.length, PATIENCE).toBe(1)
    for (let n = 0; n < 30; n++) {
      const second = new Peer()
      broker.attach(lendingWire(second), 'second')
      second.push(connectPacket({ clientId: 'd' }))
      for (let step = 0; step < n; step++) await new Promise<void>((resolve) => process.nextTick(resolve))
      second.destroy()
      await turn()
    }
    const last = new Peer()
    broker.attach(lendingWire(last), 'last')
    last.push(Buffer.concat([connectPacket({ clientId: 'd' }), publishPacket({ payload: 'last' })]))
    await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['last'])
    expect(first.destroyed).toBe(true)
  })

  test('a stream that comes while the broker closes is destroyed, and its packets go nowhere', async () => {
    const { broker, acceptor } = await setUp({})
    acceptor.auto = false
    const first = new Peer()
    broker.attach(lendingWire(first), 'first')
    first.push(Buffer.concat([connectPacket({ clientId: 'd' }), publishPacket({ payload: 'before' })]))
    await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['before'])
    const closing = broker.close(20_000)
    const late = new Peer()
    broker.attach(lendingWire(late), 'late')
    late.push(Buffer.concat([connectPacket({ clientId: 'late' }), publishPacket({ payload: 'late' })]))
    await expect.poll(() => late.destroyed, PATIENCE).toBe(true)
    acceptor.answerAll()
    first.push(null)
    await closing
    expect(acceptor.texts()).toEqual(['before'])
  })

  test('wills of connections that end with the broker are answered before close resolves', async () => {
    const { broker, acceptor } = await setUp({})
    const peer = new Peer()
    broker.attach(lendingWire(peer), 'peer')
    peer.push(connectPacket({ clientId: 'd', will: { topic: 'w', payload: 'gone' } }))
    await expect.poll(() => peer.written.length, PATIENCE).toBe(1)
    acceptor.auto = false
    const closing = broker.close(20_000)
    peer.push(null)
    await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['gone'])
    let closed = false
    void closing.then(() => {
      closed = true
    })
    await turn()
    expect(closed).toBe(false)
    acceptor.answerAll()
    await closing
  })
})
