import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Site } from '../../simulators/site/index.ts'
import { apart, expectNoReadingLost, expectNothingLost, inStep, tookOver, waiting } from '../e2e/support/pair.ts'
import { acknowledgedMore, ENTRY } from '../support/site.ts'
import { Keepalived, whyNoKeepalived } from './support/keepalived.ts'
import { type NetworkedMachines, whyNoMachines } from './support/networked-machines.ts'
import { MQTT_PORT, onMachines } from './support/on-machines.ts'

const LONG = { timeout: 180_000 }
/** The check needs four seconds to see a dead gateway, and six to trust one; the rest is for a slow machine. */
const ADDRESS_WITHIN = 60_000

const noMachines = await whyNoMachines()
const noKeepalived = noMachines ?? whyNoKeepalived()
// The reporter tells nothing of what is skipped.
if (noMachines !== null) process.stderr.write(`skipped: two gateways on machines of their own: ${noMachines}\n`)
if (noKeepalived !== null) process.stderr.write(`skipped: two gateways behind one address: ${noKeepalived}\n`)

const run = promisify(execFile)

describe.skipIf(noMachines !== null)('two gateways on machines of their own', LONG, () => {
  it('lose nothing when one is killed', async () => {
    await onMachines(async (site) => {
      await acknowledgedMore(site, 500)
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
      await acknowledgedMore(site, 500)
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
      await acknowledgedMore(site, 500)
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
      await acknowledgedMore(site, 500)
      network.pull(0, ['centre'])
      await waiting(site, 0, 500)
      network.plugIn(0, ['centre'])
      await acknowledgedMore(site, 500)
      await expectNothingLost(site)
    })
  })

  it('lose nothing when the cable from one to its devices is pulled, and put back', async () => {
    await onMachines(async (site, network) => {
      await acknowledgedMore(site, 500)
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
      await acknowledgedMore(site, 500)
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

/** A site whose devices know one address, which keepalived gives to either machine. */
interface BehindOneAddress {
  site: Site
  network: NetworkedMachines
  keepalived: readonly Keepalived[]
  /** Waits until one machine has the address, that one if it is said, and the other has not; says which. */
  holder(expected?: number): Promise<number>
}

async function behindOneAddress(test: (parts: BehindOneAddress) => Promise<void>): Promise<void> {
  await onMachines(
    async (site, network, dir) => {
      const { address, prefix } = network.spareAddress
      const keepalived: Keepalived[] = []
      const having = (): number[] => [0, 1].filter((number) => network.has(number, address))
      const holder = async (expected?: number): Promise<number> => {
        const [wanted, log] = [expected === undefined ? [[0], [1]] : [[expected]], keepalived.map(({ log }) => log)]
        await expect.poll(having, { timeout: ADDRESS_WITHIN, message: JSON.stringify(log) }).toBeOneOf(wanted)
        return having()[0] ?? -1
      }
      try {
        for (const [number, { under }] of network.machines.entries()) {
          const own = join(dir, `keepalived-${number + 1}`)
          await mkdir(own)
          const dataDir = site.gateways[number]?.dataDir ?? ''
          const filledIn = {
            interface: 'devices',
            address: `${address}/${prefix}`,
            priority: 100 - 10 * number,
            dataDir,
          }
          keepalived.push(await Keepalived.start(under, own, filledIn))
        }
        await test({ site, network, keepalived, holder })
      } finally {
        await Promise.all(keepalived.map((one) => one.stop()))
      }
    },
    (network) => ({ devicesKnow: [`mqtt://${network.spareAddress.address}:${MQTT_PORT}`] }),
  )
}

describe.skipIf(noKeepalived !== null)('two gateways behind one address', LONG, () => {
  it('lose nothing when the one that has it is killed, and do not move it when that returns', async () => {
    await behindOneAddress(async ({ site, keepalived, holder }) => {
      const first = await holder()
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      await site.killGateway(first)
      await holder(1 - first)
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      const trusted = keepalived[first]?.says(/Script.* succeeded/, ADDRESS_WITHIN)
      await site.startGateway(first)
      await inStep(site)
      await trusted
      await holder(1 - first)
      await acknowledgedMore(site, 500)
      expect(await expectNothingLost(site)).toMatchObject({ kills: 1 })
    })
  })

  it('lose nothing when all cables of the one that has it are pulled, and put back', async () => {
    await behindOneAddress(async ({ site, network, holder }) => {
      const first = await holder()
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      network.pull(first)
      await tookOver(site, 1 - first)
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      network.plugIn(first)
      await holder(1 - first)
      await inStep(site)
      await acknowledgedMore(site, 500)
      await expectNothingLost(site)
    })
  })

  it('lose nothing when that lasts for longer than a peer that is new would be told of', async () => {
    await behindOneAddress(async ({ site, network, holder }) => {
      const first = await holder()
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      network.pull(first)
      await tookOver(site, 1 - first)
      await acknowledgedMore(site, 21_000, 2 * ADDRESS_WITHIN)
      network.plugIn(first)
      await inStep(site)
      await acknowledgedMore(site, 500)
      await expectNothingLost(site)
    })
  })

  it('move it in a planned handover', async () => {
    await behindOneAddress(async ({ site, network, holder }) => {
      const first = await holder()
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      const [program = '', ...under] = network.machines[first]?.under ?? []
      const config = site.gateways[first]?.config ?? ''
      await run(program, [...under, process.execPath, ENTRY, 'handover', '--config', config])
      await holder(1 - first)
      await acknowledgedMore(site, 500, ADDRESS_WITHIN)
      await expectNothingLost(site)
    })
  })
})
