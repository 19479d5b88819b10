import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { publishPacket } from './support/packets.ts'
import { turn } from './support/peer.ts'
import { PATIENCE } from './support/raw-client.ts'

const PUBACK = 4

overBothWays(({ startTestServer }) => {
  test('close answers what is under way, then hangs up', async () => {
    const { acceptor, raw, server } = await startTestServer({ limits: { closeGrace: 20_000 } })
    acceptor.auto = false
    const device = await raw()
    device.send(...Array.from({ length: 50 }, (_, i) => publishPacket({ qos: 1, id: i + 1 })))
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(50)
    const closing = server.close()
    // Time enough to hang up on a client that still waits.
    for (let n = 0; n < 50; n++) await turn()
    expect(device.closed).toBe(false)
    acceptor.answerAll()
    await device.whenClosed()
    expect(device.ids(PUBACK)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    await closing
    expect(server.connections()).toBe(0)
  })

  test('close accepts no more connections at once', async () => {
    const { acceptor, raw, port, server } = await startTestServer({ limits: { closeGrace: 20_000 } })
    acceptor.auto = false
    const device = await raw()
    device.send(publishPacket({ qos: 1, id: 1 }))
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
    const closing = server.close()
    const late = connect(port, '127.0.0.1')
    const refused = await new Promise<NodeJS.ErrnoException>((resolve) => late.once('error', resolve))
    expect(refused.code).toBe('ECONNREFUSED')
    acceptor.answerAll()
    await closing
  })

  test('after the grace period close cuts clients that do not hang up and publishes nobody answers', async () => {
    const { acceptor, raw, open, server } = await startTestServer({ limits: { closeGrace: 100 } })
    acceptor.auto = false
    const frozen = await raw({ clientId: 'frozen' })
    frozen.send(publishPacket({ qos: 1, id: 1 }))
    await open()
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(1)
    frozen.socket.pause()
    await server.close()
    expect(server.connections()).toBe(0)
    frozen.socket.resume()
    await frozen.whenClosed()
    expect(frozen.packets).toEqual([])
  })

  test('closing twice is closing once', async () => {
    const { server } = await startTestServer()
    await Promise.all([server.close(), server.close()])
    await server.close()
  })

  test('close under load loses nothing that was acknowledged', async () => {
    const { acceptor, client, server } = await startTestServer({ limits: { closeGrace: 5_000 } })
    const acknowledged: string[] = []
    const devices = await Promise.all([0, 1, 2].map((n) => client({ clientId: `d${n}` })))
    const publishing = devices.map(async (device, n) => {
      const hungUp = new Promise<void>((resolve) => {
        device.once('close', () => resolve())
      })
      for (let i = 0; device.connected; i++) {
        const text = `${n}-${i}`
        const publish = device.publishAsync('a', text, { qos: 1 }).then(
          () => acknowledged.push(text),
          () => 0,
        )
        await Promise.race([publish, hungUp])
      }
    })
    await expect.poll(() => acknowledged.length, PATIENCE).toBeGreaterThan(100)
    await server.close()
    await Promise.all(publishing)
    const stored = new Set(acceptor.texts())
    expect(acknowledged.filter((text) => !stored.has(text))).toEqual([])
  })
})
