import { describe, expect, it } from 'vitest'
import { CentralServer } from '../../simulators/central/index.ts'
import type { Release } from '../../simulators/faults/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { pause, type Random, seededRandom, systemClock } from '../../sync/runtime/index.ts'
import { expectNothingWrong, onSite } from '../support/site.ts'

const MINUTES = Number(process.env['TEST_CHAOS_MINUTES'] ?? 3)
const SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000)

/** Something that goes wrong, and what takes it back. */
type Misfortune = (site: Site, random: Random) => Promise<Release>

const onLink =
  (inject: (site: Site, random: Random) => Promise<Release>[]): Misfortune =>
  async (site, random) => {
    const releases = await Promise.all(inject(site, random))
    return async () => {
      for (const release of releases) await release()
    }
  }

const MISFORTUNES: Readonly<Record<string, Misfortune>> = {
  'the link is cut': onLink((site) => site.links.map((link) => link.cut())),
  'the link swallows everything': onLink((site) => site.links.map((link) => link.blackHole())),
  'the link swallows acknowledgements': onLink((site) => site.links.map((link) => link.swallowMessages())),
  'the link works one way': onLink((site) => site.links.map((link) => link.halfOpen('toServer'))),
  'the link is slow': onLink((site, random) => site.links.map((link) => link.latency(random.next() * 400, 100))),
  'the link is thin': onLink((site, random) =>
    site.links.map((link) => link.bandwidth(20_000 + random.next() * 200_000)),
  ),
  'the gateway is killed': async (site) => {
    await site.killGateway()
    return () => site.gateway.start()
  },
  'the gateway is restarted': async (site) => {
    await site.gateway.stop()
    return () => site.gateway.start()
  },
  'the centre is killed': async (site) => {
    if (!(site.central instanceof CentralServer)) throw new Error('expected a single server')
    const { central } = site
    await central.kill()
    return () => central.restart()
  },
}

describe('a storm', () => {
  it(`of ${MINUTES} minutes with everything going wrong loses and doubles nothing (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    const config = { central: { ackTimeout: '1s', dialTimeout: '1s' } }
    await onSite({ devices: 40, rate: 30, connections: 10, trouble: 1, config }, async (site) => {
      const names = Object.keys(MISFORTUNES)
      const end = systemClock.monotonic() + MINUTES * 60_000
      const wait = (most: Millis): Promise<void> => pause(systemClock, random.next() * most)
      while (systemClock.monotonic() < end) {
        await wait(3000)
        // Misfortunes seldom come alone.
        const releases: Release[] = []
        for (const name of names) {
          const strike = MISFORTUNES[name]
          if (!strike || random.next() > 0.2) continue
          // A gateway that is down cannot be killed.
          if (name.startsWith('the gateway') && !site.gateway.running) continue
          releases.push(await strike(site, random))
          await wait(500)
        }
        await wait(4000)
        for (const release of releases) await release()
      }
      const summary = await expectNothingWrong(site)
      expect(summary.accepted).toBeGreaterThan(MINUTES * 60 * 100)
    })
  })
})
