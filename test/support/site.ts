import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { connect } from '@nats-io/transport-node'
import { expect } from 'vitest'
import type { FleetStats } from '../../simulators/fleet/index.ts'
import { natsCentral } from '../../simulators/ledger/index.ts'
import { Site, type SiteOptions, type SiteSummary } from '../../simulators/site/index.ts'
import { decodeLine, HEADERS, isFence, type Reading, STREAMS } from '../../sync/contract/index.ts'
import { decodePackBody, decodePackFacts } from '../../sync/forward/index.ts'

/** The compiled command line: a gateway that is killed has to be a process of its own. */
export const ENTRY = resolve(import.meta.dirname, '../../dist/bin/tidegate.js')

/** Runs `test` on a fresh site and clears everything away after it, however it ends. */
export async function onSite(
  options: Partial<SiteOptions>,
  test: (site: Site, dir: string) => Promise<void>,
): Promise<void> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'tidegate-e2e-')))
  try {
    const site = await Site.start({ entry: ENTRY, devices: 20, rate: 20, trouble: 0, ...options, dir })
    try {
      await test(site, dir)
    } finally {
      await site.stop()
    }
  } finally {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
}

/** Waits until the sensors have had so many more publishes acknowledged. */
export async function acknowledgedMore(site: Site, count: number, within = 30_000): Promise<FleetStats> {
  const from = site.fleet.stats().acknowledged
  await expect
    .poll(() => site.fleet.stats().acknowledged, { timeout: within, interval: 20 })
    .toBeGreaterThanOrEqual(from + count)
  return site.fleet.stats()
}

/** Waits until the gateway has so many readings waiting for the link. */
export async function bufferedAtLeast(site: Site, count: number, within = 30_000): Promise<void> {
  await site.gateway.waitFor((status) => (status?.outbox.lanes.readings.pending ?? 0) >= count, within)
}

/** Waits until nothing has been waiting for the centre for longer than a round trip on a bad link takes. */
export async function drained(site: Site, within = 60_000): Promise<void> {
  await site.gateway.waitFor(
    (status) => status?.link.link === 'up' && (status.oldestPending === null || status.oldestPending < 1500),
    within,
  )
}

/** The end of every test here: the central stream against the ledger. */
export async function expectNothingWrong(site: Site): Promise<SiteSummary> {
  const { summary, verdict } = await site.finish()
  expect(summary.findings).toEqual([])
  expect(summary.events).toMatchObject({ missed: 0, doubled: 0 })
  expect(summary).toMatchObject({ lost: 0, doubled: 0, reordered: 0, invented: 0, buffered: 0 })
  expect(verdict.ok).toBe(true)
  expect(summary.acknowledged).toBeGreaterThan(0)
  return summary
}

/** Every reading of the central stream, in stream order. */
export async function storedReadings(site: Site): Promise<Reading[]> {
  const connection = await connect({ servers: site.addresses.centralUrl })
  try {
    const readings: Reading[] = []
    for await (const message of natsCentral(connection).read(STREAMS.readings, 1)) {
      if (isFence(message.header)) continue
      const facts = decodePackFacts((name) => message.header(name) || undefined)
      const lines = await decodePackBody(facts, message.body, message.header(HEADERS.contentEncoding) || undefined)
      readings.push(...lines.map(decodeLine))
    }
    return readings
  } finally {
    await connection.close()
  }
}
