import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../sync/runtime/index.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'
import { apart, expectNoReadingLost, expectNothingLost, inStep, PAIR, tookOver, waiting } from './support/pair.ts'

const SEED = Number(process.env['TEST_SEED'] ?? 1)
const LONG = { timeout: 90_000 }

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
      expect(await expectNoReadingLost(site)).toMatchObject({ cuts: 1, kills: 0, failoverMs: { moves: 0, p50: null } })
    })
  })

  it(`survives the death of either at any moment, with its disk or without (seed ${SEED})`, LONG, async () => {
    const random = seededRandom(SEED)
    await onSite(PAIR, async (site) => {
      for (let round = 0; round < 4; round++) {
        await inStep(site)
        await acknowledgedMore(site, 100 + Math.floor(random.next() * 300))
        const which = round % 2
        const wiped = round >= 2
        // Only what the other one has as well may be lost with a disk.
        if (wiped) await expect(site.wipeGateway(which)).rejects.toMatchObject({ code: 'GATEWAY_RUNS' })
        await site.killGateway(which)
        if (wiped) await site.wipeGateway(which)
        await acknowledgedMore(site, 100 + Math.floor(random.next() * 400))
        await site.startGateway(which)
      }
      expect(await expectNothingLost(site)).toMatchObject({ kills: 4, wipes: 2 })
    })
  })

  it('has everything of one that dies with its disk while nothing had reached the centre', LONG, async () => {
    await onSite(PAIR, async (site) => {
      await inStep(site)
      await site.cutLink()
      await waiting(site, 0, 500)
      await inStep(site)
      await site.killGateway(0)
      await site.wipeGateway(0)
      await acknowledgedMore(site, 200)
      await site.healLink()
      await acknowledgedMore(site, 200)
      expect(await expectNothingLost(site)).toMatchObject({ wipes: 1 })
    })
  })

  it('stores nothing twice while both reach the centre and not each other', LONG, async () => {
    await onSite(PAIR, async (site) => {
      await inStep(site)
      await site.cutPeers()
      await apart(site)
      await acknowledgedMore(site, 500)
      // Its devices repeat at the other one what they have no answer for.
      await site.killGateway(1)
      await acknowledgedMore(site, 300)
      await site.startGateway(1)
      await acknowledgedMore(site, 300)
      await site.healPeers()
      await inStep(site)
      await expectNoReadingLost(site)
    })
  })

  it('bears one that was frozen for longer than it takes to be taken over', LONG, async () => {
    await onSite(PAIR, async (site) => {
      await inStep(site)
      const pid = site.gateways[0]?.process.pid
      if (typeof pid !== 'number') throw new Error('the first gateway does not run')
      process.kill(pid, 'SIGSTOP')
      try {
        await tookOver(site, 1)
        await acknowledgedMore(site, 200)
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      await inStep(site)
      await acknowledgedMore(site, 300)
      await expectNoReadingLost(site)
    })
  })

  it('goes on when both have died, whichever returns first', LONG, async () => {
    await onSite(PAIR, async (site) => {
      for (const [first, second] of [
        [0, 1],
        [1, 0],
      ] as const) {
        await inStep(site)
        await acknowledgedMore(site, 300)
        await Promise.all([site.killGateway(0), site.killGateway(1)])
        await site.startGateway(first)
        await tookOver(site, first)
        await acknowledgedMore(site, 200)
        await site.startGateway(second)
      }
      await inStep(site)
      await acknowledgedMore(site, 200)
      expect(await expectNothingLost(site)).toMatchObject({ kills: 4 })
    })
  })

  it('is restarted one after the other without any device noticing more than a reconnect', LONG, async () => {
    await onSite(PAIR, async (site) => {
      for (const { process } of site.gateways) {
        await inStep(site)
        await acknowledgedMore(site, 200)
        await process.stop()
        await acknowledgedMore(site, 200)
        await process.start()
      }
      await inStep(site)
      await acknowledgedMore(site, 200)
      expect(site.view().fleet).toMatchObject({ dropped: 0, online: PAIR.devices })
      expect(await expectNothingLost(site)).toMatchObject({ kills: 0 })
    })
  })

  it('loses and doubles nothing on a centre of three servers either', LONG, async () => {
    await onSite({ ...PAIR, nodes: 3 }, async (site) => {
      await inStep(site)
      await acknowledgedMore(site, 300)
      await site.killGateway(0)
      await acknowledgedMore(site, 300)
      await site.startGateway(0)
      await inStep(site)
      expect(await expectNothingLost(site)).toMatchObject({ kills: 1 })
    })
  })
})
