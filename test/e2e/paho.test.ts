import { describe, expect, it } from 'vitest'
import { ExampleDevice, findPaho } from '../support/example-device.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'
import { expectNothingLost, inStep, PAIR } from './support/pair.ts'

const paho = findPaho()
// The reporter tells nothing of what is skipped.
if ('missing' in paho) process.stderr.write(`skipped: a device with Paho: ${paho.missing}\n`)

describe.skipIf('missing' in paho)('a device with Paho and a list of gateways', { timeout: 90_000 }, () => {
  it('moves when its gateway is killed, and has everything stored once that it got acknowledged', async () => {
    if ('missing' in paho) throw new Error(paho.missing)
    await onSite({ ...PAIR, devices: 10 }, async (site) => {
      await inStep(site)
      const servers = site.gateways.map(({ host, mqttPort }) => `${host}:${mqttPort}`)
      const device = ExampleDevice.paho(paho.python, { servers })
      try {
        await device.acknowledgedMore(50)
        for (const which of [0, 1]) {
          await site.killGateway(which)
          const killed = performance.now()
          await device.acknowledgedMore(1)
          // It pauses for a third of a second at most; the rest is for a slow machine.
          expect(performance.now() - killed).toBeLessThan(5_000)
          await device.acknowledgedMore(100)
          await site.startGateway(which)
          await inStep(site)
        }
        await acknowledgedMore(site, 100)
      } finally {
        await device.stop()
      }
      device.recordIn(site.ledger)
      expect(device.acknowledged.length).toBeGreaterThan(250)
      expect(await expectNothingLost(site)).toMatchObject({ kills: 2 })
    })
  })
})
