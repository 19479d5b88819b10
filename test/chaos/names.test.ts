import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Site } from '../../simulators/site/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { expectNothingLost, inStep, tookOver } from '../e2e/support/pair.ts'
import { ExampleDevice, findPaho } from '../support/example-device.ts'
import { acknowledgedMore, ENTRY } from '../support/site.ts'
import { NameServer, whyNoNameServer } from './support/name-server.ts'
import { type NetworkedMachines, whyNoMachines } from './support/networked-machines.ts'
import { MQTT_PORT, onMachines } from './support/on-machines.ts'

const LONG = { timeout: 240_000 }
const NAME = 'gateways.site.test'
/** What takes a third of a second, and ten seconds, on a machine that has nothing else to do. */
const AFTER_KILL: Millis = 5_000
const AFTER_SILENCE: Millis = 40_000
const run = promisify(execFile)

const paho = findPaho()
const missing = (await whyNoMachines()) ?? whyNoNameServer() ?? ('missing' in paho ? paho.missing : null)
// The reporter tells nothing of what is skipped.
if (missing !== null) process.stderr.write(`skipped: two gateways under one name: ${missing}\n`)

/** A site with two more devices, that know one name. */
interface UnderOneName {
  site: Site
  network: NetworkedMachines
  names: NameServer
  /** The one of the two that resolves the name itself, and takes the addresses for a list. */
  resolving: ExampleDevice
  /** Waits until both have had so many more publishes acknowledged. */
  answered(count: number): Promise<void>
  /** The longest time since then in which one of them had no answer. */
  longestSilence(since: Millis): Millis
  /** Runs a program beside them. */
  beside(...command: string[]): Promise<unknown>
}

/** @param first gateways that the name leads to at first */
async function underOneName(first: readonly number[], test: (parts: UnderOneName) => Promise<void>): Promise<void> {
  if ('missing' in paho) throw new Error(paho.missing)
  await onMachines(async (site, network, dir) => {
    const [own, namespace] = [join(dir, 'names'), network.deviceNamespace]
    await mkdir(own)
    const names = await NameServer.start(namespace, own, NAME, addressesOf(network, first))
    const [ip, ...exec] = ['ip', 'netns', 'exec', namespace] as const
    const options = { servers: [`${NAME}:${MQTT_PORT}`], under: [ip, ...exec] }
    const resolving = ExampleDevice.paho(paho.python, options)
    const devices = [ExampleDevice.mqttJs(options), resolving]
    const parts: UnderOneName = {
      site,
      network,
      names,
      resolving,
      answered: async (count) => {
        await Promise.all(devices.map((device) => device.acknowledgedMore(count, 60_000)))
      },
      longestSilence: (since) => Math.max(...devices.map((device) => device.longestSilence(since))),
      beside: (...command) => run(ip, [...exec, ...command]),
    }
    try {
      await parts.answered(50)
      await test(parts)
    } finally {
      await Promise.all([names, ...devices].map((one) => one.stop()))
    }
    for (const device of devices) device.recordIn(site.ledger)
    await expectNothingLost(site)
  })
}

const addressesOf = (network: NetworkedMachines, numbers: readonly number[]): string[] =>
  numbers.map((number) => network.machines[number]?.address ?? '')

describe.skipIf(missing !== null)('two gateways under one name', LONG, () => {
  it('lose nothing when one is killed, and devices try the other address', async () => {
    await underOneName([0, 1], async ({ site, answered, longestSilence, beside }) => {
      for (const which of [1, 0]) {
        const killed = performance.now()
        await site.killGateway(which)
        // A new connection for each reading.
        const reading = JSON.stringify({ value: 1, seq: which })
        await beside('mosquitto_pub', '-h', NAME, '-q', '1', '-t', 'sensors/press-6/force', '-m', reading)
        await answered(100)
        expect(longestSilence(killed)).toBeLessThan(AFTER_KILL)
        await site.startGateway(which)
        await inStep(site)
      }
      await acknowledgedMore(site, 100)
    })
  })

  it('lose nothing when all cables of one are pulled, and put back', async () => {
    await underOneName([0, 1], async ({ site, network, answered, longestSilence }) => {
      for (const which of [1, 0]) {
        const pulled = performance.now()
        network.pull(which)
        await tookOver(site, 1 - which)
        await answered(100)
        expect(longestSilence(pulled)).toBeLessThan(AFTER_SILENCE)
        network.plugIn(which)
        await inStep(site)
      }
    })
  })

  it('lose nothing when the name is given the address of the other one', async () => {
    await underOneName([0], async ({ site, network, names, answered, longestSilence }) => {
      const killed = performance.now()
      await site.killGateway(0)
      await names.set(NAME, addressesOf(network, [1]))
      await answered(100)
      expect(longestSilence(killed)).toBeLessThan(AFTER_KILL)
      await site.startGateway(0)
      await inStep(site)
    })
  })

  it('lose nothing when one is handed over, and ends', async () => {
    await underOneName([0, 1], async ({ site, network, answered, resolving }) => {
      // The one that clients try first who leave the order to getaddrinfo: its address is more like theirs.
      const which = 1
      const [program = '', ...under] = network.machines[which]?.under ?? []
      const config = site.gateways[which]?.config ?? ''
      await run(program, [...under, process.execPath, ENTRY, 'handover', '--config', config])
      // Whoever tries that address first has no gateway until it refuses; whoever takes them for a list has.
      await resolving.acknowledgedMore(100)
      await site.gateways[which]?.process.stop()
      await answered(100)
    })
  })
})
