import { describe, expect, it } from 'vitest'
import { FAILOVER, type Site, type SiteSummary } from '../../simulators/site/index.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'

const PAIR = { devices: 40, rate: 20, gateways: 2 } as const

/** The end of every test here. What needs gateways that know of each other is asked for once they do. */
async function expectNothingLost(site: Site): Promise<SiteSummary> {
  const { summary } = await site.finish()
  expect(summary).toMatchObject({ lost: 0, reordered: 0, invented: 0, buffered: 0 })
  expect(summary.acknowledged).toBeGreaterThan(0)
  if (FAILOVER) {
    expect(summary.doubled).toBe(0)
    expect(summary.events).toMatchObject({ missed: 0, doubled: 0 })
    expect(summary.findings).toEqual([])
  }
  return summary
}

describe('a pair of gateways', () => {
  it('has all devices of one that is killed within seconds, and loses nothing over its death and return', {
    timeout: 90_000,
  }, async () => {
    await onSite(PAIR, async (site) => {
      await expect.poll(() => site.view().fleet.homes, { timeout: 10_000 }).toEqual([20, 20])
      await acknowledgedMore(site, 500)
      const { moved } = await site.killGateway(0)
      const moves = await moved
      expect(moves).toHaveLength(20)
      expect(site.view().fleet.homes).toEqual([0, 40])
      await acknowledgedMore(site, 500)
      await site.startGateway(0)
      await acknowledgedMore(site, 500)
      const summary = await expectNothingLost(site)
      expect(summary).toMatchObject({ kills: 1, wipes: 0, failoverMs: { moves: 20 } })
      // The pause before the next attempt is a third of a second at most; the rest is for a slow machine.
      expect(summary.failoverMs.connected.p99).toBeLessThan(5_000)
      expect(summary.gateways.map(({ gateway, kills }) => [gateway, kills])).toEqual([
        ['gw-1', 1],
        ['gw-2', 0],
      ])
      for (const { accepted } of summary.gateways) expect(accepted).toBeGreaterThan(0)
      expect(summary.accepted).toBe(summary.gateways.reduce((sum, { accepted }) => sum + accepted, 0))
    })
  })

  it('can be cut off from the centre one by one, and from each other', { timeout: 90_000 }, async () => {
    await onSite({ ...PAIR, devices: 10 }, async (site) => {
      const [first, second] = site.gateways
      await acknowledgedMore(site, 50)
      await site.cutLink(1)
      await site.cutPeers()
      expect(site.view()).toMatchObject({ linkCut: false, peersCut: true })
      const before = first?.process.status?.outbox.lanes.readings.forwarded ?? 0
      await second?.process.waitFor((status) => (status?.outbox.lanes.readings.pending ?? 0) > 100, 30_000)
      expect(first?.process.status?.outbox.lanes.readings.forwarded).toBeGreaterThan(before)
      await site.healPeers()
      await site.healLink()
      expect(site.view()).toMatchObject({ linkCut: false, peersCut: false })
      expect(await expectNothingLost(site)).toMatchObject({ cuts: 1, kills: 0, failoverMs: { moves: 0, p50: null } })
    })
  })

  it('goes on with an empty folder in the place of one that was deleted', { timeout: 90_000 }, async () => {
    await onSite({ ...PAIR, devices: 10 }, async (site) => {
      const [first] = site.gateways
      await acknowledgedMore(site, 100)
      await expect(site.wipeGateway(0)).rejects.toMatchObject({ code: 'GATEWAY_RUNS' })
      // What it has is at the centre before it goes: alone it could not promise more.
      site.fleet.setRate(0)
      const quiet = Date.now() + 500
      await first?.process.waitFor((status) => (status?.at ?? 0) > quiet && first.drained, 30_000)
      const { accepted } = first?.counts ?? { accepted: 0 }
      await site.killGateway(0)
      await site.wipeGateway(0)
      await site.startGateway(0)
      site.fleet.setRate(20)
      await acknowledgedMore(site, 100)
      const summary = await expectNothingLost(site)
      expect(summary).toMatchObject({ kills: 1, wipes: 1 })
      expect(summary.gateways[0]?.accepted).toBeGreaterThanOrEqual(accepted)
    })
  })
})
