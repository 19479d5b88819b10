import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import { Fleet, mixedFleet } from '../../simulators/fleet/index.ts'
import { natsCentral } from '../../simulators/ledger/index.ts'
import type { Site, SiteGateway } from '../../simulators/site/index.ts'
import { HEADERS, isFence, type Millis, STREAMS } from '../../sync/contract/index.ts'
import { decodePackBody, decodePackFacts } from '../../sync/forward/index.ts'
import { expectNoReadingLost, expectNothingLost, inStep, PAIR } from '../e2e/support/pair.ts'
import { buildRelease, OF_ANOTHER_VERSION, THAT_SAYS_MORE } from '../support/other-release.ts'
import { acknowledgedMore, ENTRY, onSite } from '../support/site.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** For what takes seconds on a machine that has nothing else to do. */
const WITHIN: Millis = 120_000
const RATE = 5

let releases: Awaited<ReturnType<typeof makeTempDir>>
let otherVersion: string
let saysMore: string

beforeAll(async () => {
  releases = await makeTempDir()
  const release = async (name: string, edits: Parameters<typeof buildRelease>[1]): Promise<string> => {
    const dir = join(releases.path, name)
    await mkdir(dir)
    return await buildRelease(dir, edits)
  }
  otherVersion = await release('other-version', OF_ANOTHER_VERSION)
  saysMore = await release('says-more', THAT_SAYS_MORE)
})
afterAll(() => releases.remove())

/** As `systemctl restart` after an update does it. */
async function restartAs(entry: string, { process }: SiteGateway): Promise<void> {
  await process.stop()
  process.install({ entry })
  await process.start(WITHIN)
}

function pairOf(site: Site): [SiteGateway, SiteGateway] {
  const [first, second] = site.gateways
  if (!first || !second) throw new Error('expected two gateways')
  return [first, second]
}

const codesOf = (status: GatewayStatus | null): string[] => status?.health.problems.map(({ code }) => code) ?? []

/** More devices, which know one gateway only. */
function devicesOf(site: Site, { name, mqttPort }: SiteGateway): Fleet {
  return Fleet.start({
    devices: mixedFleet({ devices: 10, name: `only-${name}`, hurry: 20 }),
    gateways: [`mqtt://127.0.0.1:${mqttPort}`],
    ledger: site.ledger,
    rate: RATE,
    client: 'tuned',
  })
}

const accepted = ({ process }: SiteGateway): number => process.status?.outbox.lanes.readings.accepted ?? 0

/** Lines of the stream of readings, as they were stored. */
async function storedLines(site: Site): Promise<string[]> {
  const connection = await connect({ servers: site.addresses.centralUrl })
  try {
    const found: string[] = []
    for await (const message of natsCentral(connection).read(STREAMS.readings, 1)) {
      if (isFence(message.header)) continue
      const facts = decodePackFacts((name) => message.header(name) || undefined)
      found.push(...(await decodePackBody(facts, message.body, message.header(HEADERS.contentEncoding) || undefined)))
    }
    return found
  } finally {
    await connection.close()
  }
}

describe('two releases side by side', () => {
  it('refuse each other when they speak different versions, say what to do, and go on alone until both are updated', async () => {
    await onSite({ ...PAIR, rate: RATE }, async (site) => {
      const [first, second] = pairOf(site)
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      await restartAs(otherVersion, first)
      for (const { process } of [first, second]) {
        await process.waitFor((status) => codesOf(status).includes('PEER_VERSION'), WITHIN)
        await process.waitFor((status) => codesOf(status).includes('DURABILITY_DEGRADED'), WITHIN)
        const problem = process.status?.health.problems.find(({ code }) => code === 'PEER_VERSION')
        expect(problem?.message).toMatch(
          /gw-\d speaks version \d .* and gw-\d version \d; bring both to the same release/,
        )
        const refusal = process.log.filter((line) => line.includes('(PEER_VERSION)'))
        expect(refusal).toHaveLength(1)
        expect(refusal[0]).toContain('bring both to the same release')
      }
      // The devices of the first went to the second when it stopped: it gets others.
      const more = devicesOf(site, first)
      try {
        const before = [accepted(first), accepted(second)] as const
        for (const [i, gateway] of [first, second].entries())
          await gateway.process.waitFor(() => accepted(gateway) >= (before[i] ?? 0) + 300, WITHIN)
        for (const [{ process }, peer] of [
          [first, 'gw-2'],
          [second, 'gw-1'],
        ] as const) {
          // Each knows that the other one lives, and what it has leaves all the same.
          await process.waitFor((status) => status?.failover?.peers[0]?.takenOver === false, WITHIN)
          await process.waitFor((status) => (status?.oldestPending ?? 0) < 5000, WITHIN)
          expect(process.status?.failover?.peers).toMatchObject([{ gateway: peer, present: false }])
        }
        await restartAs(otherVersion, second)
        await inStep(site)
        await acknowledgedMore(site, 300, WITHIN)
        await restartAs(otherVersion, first)
        await inStep(site)
        await acknowledgedMore(site, 300, WITHIN)
      } finally {
        await more.stop()
      }
      await expectNoReadingLost(site)
    })
  })

  it('work together when one says more than the other knows, there and back', async () => {
    await onSite({ ...PAIR, rate: RATE }, async (site) => {
      const [first, second] = pairOf(site)
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      // Either of two that differ dies, and the other one has all devices and everything that they said.
      await restartAs(saysMore, first)
      for (const which of [1, 0]) {
        await inStep(site)
        await acknowledgedMore(site, 300, WITHIN)
        await site.killGateway(which)
        await acknowledgedMore(site, 300, WITHIN)
        await site.startGateway(which)
      }
      await inStep(site)
      await restartAs(saysMore, second)
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      // What the later release has stored is read by this one.
      for (const gateway of [first, second]) {
        await restartAs(ENTRY, gateway)
        await inStep(site)
        await acknowledgedMore(site, 300, WITHIN)
      }
      expect(await expectNothingLost(site)).toMatchObject({ kills: 2 })
      const lines = await storedLines(site)
      expect(lines.filter((line) => line.includes('"later"')).length).toBeGreaterThan(300)
      for (const { process } of [first, second]) expect(process.log.join('\n')).not.toMatch(/"level":[56]0/)
    })
  })
})
