import { expect } from 'vitest'
import type { Site, SiteOptions, SiteSummary } from '../../../simulators/site/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'

const WITHIN: Millis = 30_000

/** Answers are not waited for long: faults come and go within seconds here. */
export const PAIR = {
  devices: 40,
  rate: 10,
  gateways: 2,
  config: { central: { ackTimeout: '1s', dialTimeout: '1s' } },
} as const satisfies Partial<SiteOptions>

/** Each gateway has everything that the other one has: either may be lost, with its disk. */
export async function inStep(site: Site): Promise<void> {
  for (const { process } of site.gateways)
    await process.waitFor(
      (status) => status?.failover?.peers.every(({ present, inStep }) => present && inStep) === true,
      WITHIN,
    )
}

/** Neither knows anything of the other. */
export async function apart(site: Site): Promise<void> {
  for (const { process } of site.gateways)
    await process.waitFor((status) => status?.failover?.peers.every(({ present }) => !present) === true, WITHIN)
}

/** The gateway forwards for the other one. */
export async function tookOver(site: Site, which: number): Promise<void> {
  await site.gateways[which]?.process.waitFor(
    (status) => status?.failover?.peers.some(({ takenOver }) => takenOver) === true,
    WITHIN,
  )
}

/** So many readings of a gateway wait for the centre. */
export async function waiting(site: Site, which: number, count: number): Promise<void> {
  await site.gateways[which]?.process.waitFor((status) => (status?.outbox.lanes.readings.pending ?? 0) >= count, WITHIN)
}

/** The end of every test of a pair: the central stream against the ledger. */
export async function expectNothingLost(site: Site): Promise<SiteSummary> {
  const { summary } = await site.finish()
  expect(summary.findings).toEqual([])
  expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, invented: 0, buffered: 0 })
  expect(summary.events).toMatchObject({ missed: 0, doubled: 0 })
  expect(summary.acknowledged).toBeGreaterThan(0)
  return summary
}

/** The same where the gateways could not hear each other: both may have told of an alarm, see docs/adr/0016-two-gateways.md. */
export async function expectNoReadingLost(site: Site): Promise<SiteSummary> {
  const { summary } = await site.finish()
  expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, invented: 0, buffered: 0 })
  expect(summary.events, summary.findings.join('\n')).toMatchObject({ missed: 0 })
  expect(summary.acknowledged).toBeGreaterThan(0)
  return summary
}
