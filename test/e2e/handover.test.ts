import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { connectAsync } from 'mqtt'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { PeerStatus } from '../../gateway/failover/index.ts'
import type { HandoverReport } from '../../gateway/observe/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import { acknowledgedMore, ENTRY, onSite } from '../support/site.ts'

const PAIR = { devices: 40, rate: 20, gateways: 2 } as const

const run = promisify(execFile)

/** The command line about one gateway of the site. */
async function tidegate(site: Site, gateway: number, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [ENTRY, ...args, '--config', site.gateways[gateway]?.config ?? ''])
  return stdout
}

/** A device of its own that says something every few milliseconds, and expects all of it to be acknowledged. */
async function steadyDevice(site: Site) {
  const [first, second] = site.gateways.map(({ mqttPort }) => ({ host: '127.0.0.1', port: mqttPort }))
  const client = await connectAsync('', {
    servers: [first, second].filter((server) => server !== undefined),
    clientId: 'steady',
    clean: false,
    reconnectPeriod: 100,
  })
  onTestFinished(() => client.endAsync(true))
  const errors: unknown[] = []
  let [reconnects, acknowledged, seq, over] = [0, 0, 0, false]
  client.on('error', (error) => errors.push(error))
  client.on('reconnect', () => reconnects++)
  const finished = (async () => {
    while (!over) {
      const payload = JSON.stringify({ value: 20, seq: ++seq, session: 's' })
      await client.publishAsync('sensors/steady/temperature', payload, { qos: 1 }).then(
        () => acknowledged++,
        (error: unknown) => errors.push(error),
      )
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return {
    errors,
    counts: () => ({ reconnects, acknowledged }),
    async stop() {
      over = true
      await finished
    },
  }
}

/** Waits until a gateway says this of its only peer. */
async function peerOf(site: Site, gateway: number, is: Partial<PeerStatus>): Promise<void> {
  await site.gateways[gateway]?.process.waitFor((status) => {
    const [peer] = status?.failover?.peers ?? []
    return peer !== undefined && Object.entries(is).every(([key, value]) => peer[key as keyof PeerStatus] === value)
  }, 15_000)
}

const homes = (site: Site, ...expected: number[]): Promise<void> =>
  expect.poll(() => site.view().fleet.homes, { timeout: 15_000 }).toEqual(expected)

describe('a handover', () => {
  it('moves all devices, is safe, and is taken back; nothing is lost or doubled', { timeout: 120_000 }, async () => {
    await onSite(PAIR, async (site) => {
      await homes(site, 20, 20)
      const steady = await steadyDevice(site)
      await acknowledgedMore(site, 500)
      await peerOf(site, 0, { present: true, inStep: true })

      const report = JSON.parse(await tidegate(site, 0, 'handover', '--json')) as HandoverReport
      expect(report).toMatchObject({ safe: true, peers: ['gw-2'], holdsOfOthers: 0 })
      expect(report.asked).toBeGreaterThanOrEqual(20)
      await homes(site, 0, 40)
      await peerOf(site, 1, { present: true, leaving: true, takenOver: true })
      await expect(tidegate(site, 0, 'status')).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringContaining('HANDED_OVER'),
      })
      await acknowledgedMore(site, 500)

      // Switched off without warning, as was promised to be safe.
      await site.killGateway(0)
      await acknowledgedMore(site, 300)
      await site.startGateway(0)
      await peerOf(site, 1, { present: true, leaving: false, takenOver: false })
      await tidegate(site, 1, 'handover')
      await homes(site, 40, 0)
      expect(await tidegate(site, 1, 'handover', '--cancel')).toBe('devices are taken again\n')
      await peerOf(site, 0, { present: true, leaving: false, takenOver: false })
      // ... and a process that is asked to end says goodbye by itself.
      await site.gateways[0]?.process.stop()
      await peerOf(site, 1, { present: false, takenOver: true })
      await homes(site, 0, 40)
      await site.startGateway(0)
      await acknowledgedMore(site, 300)

      await steady.stop()
      expect(steady.errors).toEqual([])
      expect(steady.counts().reconnects).toBeGreaterThanOrEqual(3)
      expect(steady.counts().acknowledged).toBeGreaterThan(300)
      const { summary } = await site.finish()
      expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, buffered: 0, findings: [] })
      expect(summary.events).toMatchObject({ missed: 0, doubled: 0 })
    })
  })

  it('of one of three leaves its devices to the other two', { timeout: 120_000 }, async () => {
    await onSite({ devices: 30, rate: 20, gateways: 3 }, async (site) => {
      await homes(site, 10, 10, 10)
      await acknowledgedMore(site, 300)
      const report = JSON.parse(await tidegate(site, 0, 'handover', '--json')) as HandoverReport
      expect(report).toMatchObject({ asked: 10, peers: ['gw-2', 'gw-3'] })
      await expect.poll(() => site.view().fleet.homes[0], { timeout: 15_000 }).toBe(0)
      await acknowledgedMore(site, 500)
      await site.killGateway(0)
      await acknowledgedMore(site, 300)
      await site.startGateway(0)
      await acknowledgedMore(site, 100)
      const { summary } = await site.finish()
      expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, buffered: 0, findings: [] })
      expect(summary.events).toMatchObject({ missed: 0, doubled: 0 })
    })
  })
})
