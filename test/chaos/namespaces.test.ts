import { describe, expect, it } from 'vitest'
import type { Site } from '../../simulators/site/index.ts'
import { apart, expectNoReadingLost, expectNothingLost, inStep, PAIR, tookOver, waiting } from '../e2e/support/pair.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'
import { NetworkedMachines, whyNoMachines } from './support/networked-machines.ts'

const WITHIN = { timeout: 180_000 }

const missing = await whyNoMachines()
// The reporter does not print the names of what is skipped.
if (missing !== null) process.stderr.write(`skipped: two gateways on machines of their own: ${missing}\n`)

/** Runs `test` with each gateway on a machine of its own; devices and centre are here. */
async function onMachines(test: (site: Site, network: NetworkedMachines) => Promise<void>): Promise<void> {
  const network = await NetworkedMachines.build(2)
  try {
    const { machines, centralHost } = network
    await onSite({ ...PAIR, machines, centralHost }, async (site) => {
      await inStep(site)
      await acknowledgedMore(site, 500)
      await test(site, network)
    })
  } finally {
    await network.remove()
  }
}

describe.skipIf(missing !== null)('two gateways on machines of their own', WITHIN, () => {
  it('lose nothing when one is killed', async () => {
    await onMachines(async (site) => {
      const { moved } = await site.killGateway(0)
      expect(await moved).toHaveLength(20)
      await acknowledgedMore(site, 500)
      await site.startGateway(0)
      await inStep(site)
      await acknowledgedMore(site, 500)
      expect(await expectNothingLost(site)).toMatchObject({ kills: 1, failoverMs: { moves: 20 } })
    })
  })

  it('lose nothing when all cables of one are pulled, and put back', async () => {
    await onMachines(async (site, network) => {
      const moved = site.fleet.gatewayKilled(0)
      network.pull(0)
      expect(await moved).toHaveLength(20)
      await tookOver(site, 1)
      await acknowledgedMore(site, 500)
      network.plugIn(0)
      await inStep(site)
      await acknowledgedMore(site, 500)
      const { failoverMs } = await expectNothingLost(site)
      // The keep-alive notices after 7.5 s; the rest is for a slow machine.
      expect(failoverMs.connected.p99).toBeLessThan(30_000)
    })
  })

  it('lose nothing when the cable between them is pulled, and put back', async () => {
    await onMachines(async (site, network) => {
      network.pull(0, ['peers'])
      await apart(site)
      await acknowledgedMore(site, 1_000)
      network.plugIn(0, ['peers'])
      await inStep(site)
      await acknowledgedMore(site, 500)
      await expectNoReadingLost(site)
    })
  })

  it('lose nothing when the cable from one to the centre is pulled, and put back', async () => {
    await onMachines(async (site, network) => {
      network.pull(0, ['centre'])
      await waiting(site, 0, 500)
      network.plugIn(0, ['centre'])
      await acknowledgedMore(site, 500)
      await expectNothingLost(site)
    })
  })

  it('lose nothing when the cable from one to its devices is pulled, and put back', async () => {
    await onMachines(async (site, network) => {
      const moved = site.fleet.gatewayKilled(0)
      network.pull(0, ['devices'])
      expect(await moved).toHaveLength(20)
      await acknowledgedMore(site, 500)
      network.plugIn(0, ['devices'])
      await acknowledgedMore(site, 500)
      await expectNothingLost(site)
    })
  })

  it('store nothing twice when one is left with no cable but that to the centre', async () => {
    await onMachines(async (site, network) => {
      const moved = site.fleet.gatewayKilled(0)
      network.pull(0, ['devices', 'peers'])
      await apart(site)
      expect(await moved).toHaveLength(20)
      await acknowledgedMore(site, 500)
      network.plugIn(0, ['devices', 'peers'])
      await inStep(site)
      await acknowledgedMore(site, 500)
      await expectNoReadingLost(site)
    })
  })
})
