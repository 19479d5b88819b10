import { describe, expect, test, vi } from 'vitest'
import { overBothWays } from './support/both-ways.ts'
import { publishPacket } from './support/packets.ts'
import { PATIENCE, type RawClient } from './support/raw-client.ts'
import type { TestServer } from './support/server.ts'

const PUBACK = 4

/** Resolves when the client cannot get rid of its bytes any more and the acceptor has got nothing new for a while. */
async function whenStuck(device: RawClient, { acceptor }: TestServer): Promise<number> {
  let last = -1
  let since = 0
  await vi.waitFor(() => {
    const now = acceptor.received.length
    since = now === last ? since + 1 : 0
    last = now
    expect(device.socket.writableLength).toBeGreaterThan(0)
    expect(since).toBeGreaterThan(20)
  }, PATIENCE)
  return last
}

overBothWays(({ startTestServer }) => {
  describe('while the acceptor does not answer', () => {
    test('a fast publisher is left in the kernel, and served in order when the answers come', async () => {
      const harness = await startTestServer()
      const { acceptor, raw } = harness
      acceptor.auto = false
      const device = await raw()
      const total = 15_000
      const payload = Buffer.alloc(1000, 'x')
      for (let i = 0; i < total; i++) device.socket.write(publishPacket({ qos: 1, id: (i % 65_535) + 1, payload }))
      const waiting = await whenStuck(device, harness)
      // The limit in flight (64 KiB) and what is read ahead of it, not the 15 MB that the client has to say.
      expect(waiting).toBeGreaterThan(20)
      expect(waiting).toBeLessThan(400)

      acceptor.auto = true
      acceptor.answerAll()
      await vi.waitFor(() => expect(device.ids(PUBACK)).toHaveLength(total), PATIENCE)
      expect(device.ids(PUBACK)).toEqual(Array.from({ length: total }, (_, i) => i + 1))
    })

    test('a publisher that breaks off gives its place to another at once', async () => {
      const most = 2
      const { acceptor, server, raw } = await startTestServer({
        limits: { maxInflightBytes: 2000, maxConnectionsPerAddress: most },
      })
      acceptor.auto = false
      for (let n = 0; n < 2 * most; n++) {
        const device = await raw({ clientId: `d${n}` })
        for (let id = 1; id < 40; id++) device.send(publishPacket({ qos: 1, id, payload: Buffer.alloc(100, 'x') }))
        await vi.waitFor(() => expect(acceptor.received.length).toBeGreaterThan(5 * (n + 1)), PATIENCE)
        device.socket.resetAndDestroy()
        await vi.waitFor(() => expect(server.connections()).toBe(0), PATIENCE)
      }
    })

    test('a publisher whose packets come one by one is bounded too', async () => {
      const { acceptor, raw } = await startTestServer()
      acceptor.auto = false
      const device = await raw()
      device.socket.setNoDelay(true)
      for (let id = 1; id <= 3000; id++) {
        device.send(publishPacket({ qos: 1, id, payload: 'x' }))
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(acceptor.received.length).toBeGreaterThan(20)
      expect(acceptor.received.length).toBeLessThan(1500)
      await vi.waitFor(() => {
        acceptor.answerAll()
        expect(device.ids(PUBACK)).toHaveLength(3000)
      }, PATIENCE)
    })

    test('other clients are read', async () => {
      const { acceptor, raw } = await startTestServer()
      acceptor.auto = false
      const flood = await raw({ clientId: 'flood' })
      for (let id = 1; id <= 2000; id++) flood.send(publishPacket({ qos: 1, id, payload: Buffer.alloc(1000) }))
      await expect.poll(() => acceptor.received.length, PATIENCE).toBeGreaterThan(20)
      const device = await raw({ clientId: 'd' })
      device.send(publishPacket({ qos: 1, id: 1 }))
      await expect.poll(() => acceptor.received.some(({ clientId }) => clientId === 'd'), PATIENCE).toBe(true)
    })
  })
})
