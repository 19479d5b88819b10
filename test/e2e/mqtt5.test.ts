import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { connectAsync } from 'mqtt'
import { describe, expect, it } from 'vitest'
import { pause, seededRandom, systemClock } from '../../sync/runtime/index.ts'
import { acknowledgedMore, ENTRY, expectNothingWrong, onSite, storedReadings } from '../support/site.ts'
import { expectNothingLost, inStep, PAIR } from './support/pair.ts'

describe('devices that speak MQTT 5', () => {
  it('lose and double nothing when their gateway is killed again and again under load', {
    timeout: 120_000,
  }, async () => {
    const random = seededRandom(Number(process.env['TEST_SEED'] ?? 5))
    const kills = Number(process.env['TEST_KILLS'] ?? 4)
    await onSite({ devices: 40, rate: 40, trouble: 0.5, version: 'mixed' }, async (site) => {
      for (let kill = 0; kill < kills; kill++) {
        await acknowledgedMore(site, 200)
        // A random moment, not one at which something just became true.
        await pause(systemClock, random.next() * 300)
        await site.killGateway()
        await site.gateway.start()
      }
      const summary = await expectNothingWrong(site)
      expect(summary.kills).toBe(kills)
    })
  })

  it('move to the other gateway when theirs hands over, and when it dies', { timeout: 120_000 }, async () => {
    const options = {
      ...PAIR,
      version: 5,
      config: { ...PAIR.config, mqtt: { serverReference: 'elsewhere:1883' } },
    } as const
    await onSite(options, async (site) => {
      await inStep(site)
      await acknowledgedMore(site, 200)
      const device = await connectAsync(`mqtt://127.0.0.1:${site.gateways[0]?.mqttPort}`, { protocolVersion: 5 })
      const told = new Promise((resolve) => device.once('disconnect', resolve))
      await promisify(execFile)(process.execPath, [ENTRY, 'handover', '--config', site.gateways[0]?.config ?? ''])
      expect(await told).toMatchObject({ reasonCode: 0x9c, properties: { serverReference: 'elsewhere:1883' } })
      await device.endAsync(true)
      await expect.poll(() => site.fleet.stats().homes, { timeout: 10_000 }).toEqual([0, PAIR.devices])
      await acknowledgedMore(site, 200)
      await promisify(execFile)(process.execPath, [
        ENTRY,
        'handover',
        '--cancel',
        '--config',
        site.gateways[0]?.config ?? '',
      ])
      await inStep(site)
      await site.killGateway(1)
      await acknowledgedMore(site, 200)
      await site.startGateway(1)
      await inStep(site)
      await expectNothingLost(site)
    })
  })

  it('learn what became of each publish, and what they say beside it is stored', { timeout: 60_000 }, async () => {
    await onSite({ devices: 2, rate: 10, version: 5 }, async (site) => {
      const client = await connectAsync(`mqtt://127.0.0.1:${site.addresses.mqttPort}`, { protocolVersion: 5 })
      const publish = (topic: string, payload: string, properties = {}): Promise<unknown> =>
        client.publishAsync(topic, payload, { qos: 1, properties }).then(
          (packet) => (packet && 'reasonCode' in packet ? packet.reasonCode : 0),
          (error: { code: number }) => error.code,
        )
      expect(await publish('sensors/five/t', '21.5', { userProperties: { line: 'a' } })).toBe(0)
      expect(await publish('sensors/five/t', '{"value"')).toBe(0x99)
      expect(await publish('mistyped', '21.5')).toBe(0x90)
      expect(await publish('$SYS/mine', '21.5')).toBe(0x87)
      const old = JSON.stringify({ value: 1, time: Date.now() - 60_000 })
      expect(await publish('sensors/five/t', old, { messageExpiryInterval: 30 })).toBe(0x83)
      await client.endAsync()
      await site.killGateway()
      await site.gateway.start()
      await site.finish()
      const stored = (await storedReadings(site)).filter(({ device }) => device === 'five')
      expect(stored).toMatchObject([{ value: 21.5, labels: { line: 'a' } }])
    })
  })
})
