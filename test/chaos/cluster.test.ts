import { describe, it } from 'vitest'
import { CentralCluster } from '../../simulators/central/index.ts'
import { STREAMS } from '../../sync/contract/index.ts'
import { acknowledgedMore, drained, expectNothingWrong, onSite } from '../support/site.ts'

describe('a central cluster', () => {
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
