import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { describe, expect, it } from 'vitest'
import { CentralCluster, CentralServer } from '../../simulators/central/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import { STREAMS } from '../../sync/contract/index.ts'
import { acknowledgedMore, bufferedAtLeast, drained, expectNothingWrong, onSite } from '../support/site.ts'

function server(site: Site): CentralServer {
  if (site.central instanceof CentralServer) return site.central
  throw new Error('this site has a cluster')
}

describe('a centre that fails', () => {
  it('is waited for while it restarts', async () => {
    await onSite({}, async (site) => {
      await acknowledgedMore(site, 100)
      await server(site).kill()
      await bufferedAtLeast(site, 500)
      await server(site).restart()
      await drained(site)
      await expectNothingWrong(site)
    })
  })

  it('is healed when it comes back with an older copy of its store', { timeout: 60_000 }, async () => {
    await onSite({}, async (site, dir) => {
      const store = join(dir, 'central')
      const copy = join(dir, 'backup')
      await acknowledgedMore(site, 300)
      await server(site).stop()
      await cp(store, copy, { recursive: true })
      await server(site).restart()
      await acknowledgedMore(site, 500)
      await drained(site)
      const before = site.gateway.status?.outbox.lanes.readings.forwarded ?? 0
      await site.gateway.waitFor((status) => (status?.outbox.lanes.readings.forwarded ?? 0) > before, 5_000)
      await server(site).stop()
      await rm(store, { recursive: true })
      await cp(copy, store, { recursive: true })
      await server(site).restart()
      await acknowledgedMore(site, 100)
      const summary = await expectNothingWrong(site)
      expect(site.gateway.log.join('\n')).toContain('the centre has less than it acknowledged')
      expect(summary.accepted).toBeGreaterThan(900)
    })
  })

  it('is filled again when its streams were wiped', async () => {
    await onSite({}, async (site) => {
      await acknowledgedMore(site, 500)
      await drained(site)
      const connection = await connect({ servers: server(site).url })
      const manager = await jetstreamManager(connection)
      for (const stream of Object.values(STREAMS)) await manager.streams.delete(stream)
      await connection.close()
      await acknowledgedMore(site, 200)
      await expectNothingWrong(site)
    })
  })

  it('pushes back instead of dropping when a stream is full', { timeout: 60_000 }, async () => {
    await onSite({ config: { central: { maxBytes: '1MB' } } }, async (site) => {
      await bufferedAtLeast(site, 500, 50_000)
      const connection = await connect({ servers: server(site).url })
      const manager = await jetstreamManager(connection)
      await manager.streams.update(STREAMS.readings, { max_bytes: -1 })
      await connection.close()
      await drained(site)
      await expectNothingWrong(site)
    })
  })

  it('loses and doubles nothing when the leader of a cluster is killed, several times', {
    timeout: 120_000,
  }, async () => {
    await onSite({ nodes: 3, devices: 30, rate: 30, connections: 10 }, async (site) => {
      const cluster = site.central
      if (!(cluster instanceof CentralCluster)) throw new Error('expected a cluster')
      for (let kill = 0; kill < 3; kill++) {
        await acknowledgedMore(site, 500)
        await drained(site)
        const leader = await cluster.waitLeader(STREAMS.readings)
        await leader.kill()
        await acknowledgedMore(site, 500)
        await cluster.waitLeader(STREAMS.readings, leader)
        await leader.restart()
        await cluster.waitReady()
      }
      await expectNothingWrong(site)
    })
  })
})
