import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import { startCentral } from '../../../simulators/central/index.ts'
import { FaultProxy } from '../../../simulators/faults/index.ts'

describe('swallowing the server’s messages', () => {
  it('stores what is published, keeps the acknowledgement, and looks like a healthy NATS connection', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'swallow-'))
    const server = await startCentral({ dir })
    const proxy = await FaultProxy.listen({ target: { port: server.port }, protocol: 'nats' })
    const direct = await connect({ servers: server.url })
    const proxied = await connect({ servers: `127.0.0.1:${proxy.port}` })
    try {
      const manager = await jetstreamManager(direct)
      await manager.streams.add({ name: 'S', subjects: ['s'] })
      expect((await jetstream(proxied).publish('s', 'one')).seq).toBe(1)
      const release = await proxy.swallowMessages()
      await expect(jetstream(proxied).publish('s', 'two', { timeout: 200 })).rejects.toThrow()
      expect((await manager.streams.info('S')).state.messages).toBe(2)
      await proxied.flush()
      expect(proxied.isClosed()).toBe(false)
      await release()
      expect((await jetstream(proxied).publish('s', 'three')).seq).toBe(3)
      expect(proxy.stats()).toMatchObject({ accepted: 1, connections: 1 })
    } finally {
      await Promise.all([direct.close(), proxied.close()])
      await proxy.close()
      await server.stop()
      await rm(dir, { recursive: true })
    }
  })

  it('needs to know the protocol', async () => {
    const proxy = await FaultProxy.listen({ target: { port: 1 } })
    await expect(proxy.swallowMessages()).rejects.toMatchObject({ code: 'FAULT_NEEDS_PROTOCOL' })
    await proxy.close()
  })
})
