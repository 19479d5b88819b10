import mqtt from 'mqtt'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readApiFile } from '../../gateway/api/index.ts'
import { loadConfig } from '../../gateway/config/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import { acknowledgedMore, bufferedAtLeast, expectNothingWrong, onSite } from '../support/site.ts'
import { eventsOf } from './support/events.ts'
import { inStep, tookOver } from './support/pair.ts'

/** A device of the test's own, beside the simulated ones. */
async function device(site: Site, name: string): Promise<(metric: string, value: number) => Promise<void>> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${site.addresses.mqttPort}`, { clientId: name })
  onTestFinished(() => client.endAsync(true))
  return async (metric, value) => {
    await client.publishAsync(`sensors/${name}/${metric}`, String(value), { qos: 1 })
  }
}

/** The API of a gateway of the site. */
async function api(site: Site, which = 0): Promise<(method: string, path: string, body?: unknown) => Promise<unknown>> {
  const { dataDir } = await loadConfig(site.gateways[which]?.config ?? '', {})
  return async (method, path, body) => {
    const { url, token } = await readApiFile(dataDir)
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
}

describe('alarms of a site', () => {
  it('are in the stream once, and first of all, when a link comes back that was cut before they were raised', async () => {
    await onSite({ devices: 40, rate: 50, connections: 10 }, async (site) => {
      const publish = await device(site, 'boiler')
      await publish('temperature', 20)
      await acknowledgedMore(site, 200)
      await site.cutLink()
      await bufferedAtLeast(site, 5000)
      await publish('temperature', 90)
      // Acknowledged, so it is durable with its alarm: whoever dies now changes nothing.
      await site.killGateway()
      await site.gateway.start()
      await site.healLink()
      await expect.poll(() => eventsOf(site, 'boiler'), { timeout: 10_000 }).toEqual(['too-hot raised'])
      await expectNothingWrong(site)
      expect(await eventsOf(site, 'boiler')).toEqual(['too-hot raised'])
    })
  })

  it('are missed and doubled by nobody while rules are changed under load, and the gateway is killed meanwhile', async () => {
    await onSite({ devices: 40, rate: 50, connections: 10 }, async (site) => {
      const call = await api(site)
      for (let change = 0; change < 12; change++) {
        await acknowledgedMore(site, 150)
        const others = Array.from({ length: change % 5 }, (_, i) => ({
          id: `other-${i}`,
          match: { metric: ['temperature', 'power', '*'][i % 3] },
          above: 20 + change,
        }))
        await call('PUT', '/rules', { rules: others })
        if (change % 4 === 3) {
          await site.killGateway()
          await site.gateway.start()
        }
      }
      // What was changed last held on after the last kill.
      expect(await call('GET', '/rules')).toMatchObject({ rules: [{ id: 'other-0' }] })
      const { events } = await expectNothingWrong(site)
      expect(events.raised).toBeGreaterThan(0)
    })
  })

  it('that somebody shelved stay shelved when the gateway dies, and speak again when that is over', async () => {
    await onSite({ devices: 1, rate: 1 }, async (site) => {
      const [publish, call] = [await device(site, 'boiler'), await api(site)]
      await publish('temperature', 90)
      const about = { device: 'boiler', rule: 'too-hot', by: 'the test' }
      await call('POST', '/alarms/act', { ...about, action: 'shelve', for: '4s' })
      await site.killGateway()
      await site.gateway.start()
      expect(await call('GET', '/alarms?device=boiler')).toMatchObject([{ rule: 'too-hot', state: 'shelved' }])
      await publish('temperature', 20)
      await publish('temperature', 95)
      await expect
        .poll(() => eventsOf(site, 'boiler'), { timeout: 15_000 })
        .toEqual(['too-hot raised', 'too-hot shelved', 'too-hot expired'])
      await call('POST', '/alarms/act', { ...about, action: 'acknowledge' })
      await expect.poll(() => eventsOf(site, 'boiler')).toHaveLength(4)
    })
  })

  it('are acknowledged, shelved and given rules at either of two gateways, for both, and whichever dies', {
    timeout: 90_000,
  }, async () => {
    await onSite({ devices: 2, rate: 1, gateways: 2 }, async (site) => {
      await inStep(site)
      const publish = await device(site, 'boiler')
      const [here, there] = [await api(site, 0), await api(site, 1)]
      const alarm = (call: typeof here) => call('GET', '/alarms?device=boiler')
      const about = { device: 'boiler', rule: 'too-hot', by: 'the test' }
      await publish('temperature', 90)
      await expect.poll(() => alarm(there)).toMatchObject([{ rule: 'too-hot', state: 'unacknowledged' }])
      // The device speaks to the first: what is done at the second has to come there, and back.
      await there('POST', '/alarms/act', { ...about, action: 'acknowledge' })
      await expect.poll(() => alarm(here)).toMatchObject([{ state: 'acknowledged' }])
      const rules = { rules: [{ id: 'warm', match: { device: 'boiler' }, above: 50 }] }
      await here('PUT', '/rules', rules)
      await expect.poll(() => there('GET', '/rules')).toMatchObject((await here('GET', '/rules')) as object)
      await here('POST', '/alarms/act', { ...about, action: 'shelve', for: '1h' })
      await expect.poll(() => alarm(there)).toMatchObject([{ state: 'shelved' }])
      await site.killGateway(0)
      await site.wipeGateway(0)
      await tookOver(site, 1)
      expect(await alarm(there)).toMatchObject([{ state: 'shelved' }])
      await site.startGateway(0)
      await inStep(site)
      // It began with nothing, and is told both.
      await expect.poll(() => alarm(here)).toMatchObject([{ state: 'shelved' }])
      expect(await here('GET', '/rules')).toMatchObject((await there('GET', '/rules')) as object)
      await site.killGateway(1)
      await tookOver(site, 0)
      await here('POST', '/alarms/act', { ...about, action: 'unshelve' })
      expect(await alarm(here)).toMatchObject([{ state: 'acknowledged' }])
      expect(JSON.stringify(await here('GET', '/rules'))).toContain('"warm"')
      await site.startGateway(1)
      await inStep(site)
      await expect.poll(() => alarm(there)).toMatchObject([{ state: 'acknowledged' }])
      await expect
        .poll(() => eventsOf(site, 'boiler'), { timeout: 15_000 })
        .toEqual(['too-hot raised', 'too-hot acknowledged', 'too-hot shelved', 'too-hot unshelved'])
    })
  })
})
