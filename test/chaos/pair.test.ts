import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import type { Site } from '../../simulators/site/index.ts'
import type { Bytes, Millis } from '../../sync/contract/index.ts'
import { type Random, seededRandom } from '../../sync/runtime/index.ts'
import { apart, expectNoReadingLost, inStep, PAIR, tookOver, waiting } from '../e2e/support/pair.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'

const KILLS = Number(process.env['TEST_KILLS'] ?? 200)
const SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000)
const MIB: Bytes = 1024 * 1024
/** For what takes seconds on a machine that has nothing else to do. */
const WITHIN: Millis = 120_000
const MANY = { ...PAIR, devices: 200, rate: 2, connections: 50 } as const

/** One round of something that goes wrong with one gateway of a pair that is in step, and is mended. */
type Round = (site: Site, which: number, random: Random) => Promise<void>

const some = (site: Site, random: Random): Promise<unknown> => acknowledgedMore(site, Math.floor(random.next() * 600))

const ROUNDS: readonly Round[] = [
  async (site, which, random) => {
    await site.killGateway(which)
    await some(site, random)
    await site.startGateway(which)
  },
  async (site, which, random) => {
    await site.killGateway(which)
    await site.wipeGateway(which)
    await some(site, random)
    await site.startGateway(which)
  },
  async (site, which, random) => {
    await site.cutLink()
    await some(site, random)
    await site.killGateway(which)
    await some(site, random)
    await site.healLink()
    await site.startGateway(which)
  },
  async (site, which, random) => {
    await site.cutPeers()
    await apart(site)
    await site.killGateway(which)
    await some(site, random)
    await site.startGateway(which)
    await site.healPeers()
  },
  async (site, which, random) => {
    // One hears the other, and is not heard.
    const deaf = await site.peers.between(0, 1)[which]?.halfOpen('toServer')
    await some(site, random)
    await some(site, random)
    await deaf?.()
  },
  async (site, which) => {
    // About every second, while one of them has no link to the centre.
    await site.cutLink(which)
    for (let flap = 0; flap < 6; flap++) {
      await site.cutPeers()
      await acknowledgedMore(site, 200)
      await site.healPeers()
      await acknowledgedMore(site, 200)
    }
    await site.healLink(which)
  },
  async (site, which, random) => {
    await frozen(site, which, () => tookOver(site, 1 - which))
    await some(site, random)
  },
  async (site, which, random) => {
    await Promise.all([site.killGateway(0), site.killGateway(1)])
    await site.startGateway(which)
    await some(site, random)
    await site.startGateway(1 - which)
  },
  async (site, which, random) => {
    await site.gateways[which]?.process.stop()
    await some(site, random)
    await site.startGateway(which)
  },
]

async function frozen(site: Site, which: number, meanwhile: () => Promise<void>): Promise<void> {
  const pid = site.gateways[which]?.process.pid
  if (typeof pid !== 'number') throw new Error(`gateway ${which + 1} does not run`)
  process.kill(pid, 'SIGSTOP')
  try {
    await meanwhile()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

/** Runs `test` in a folder that is a file system of its own, of this size. */
async function onSmallDisk(megabytes: number, test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-pair-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir])
  try {
    await test(dir)
  } finally {
    execFileSync('umount', ['-l', dir])
    await rm(dir, { recursive: true, force: true })
  }
}

/** Leaves only so many bytes of a file system free; the returned function gives the rest back. */
async function fillUp(dir: string, left: Bytes): Promise<() => Promise<void>> {
  const { bavail, bsize } = await statfs(dir)
  const ballast = join(dir, 'ballast')
  await writeFile(ballast, Buffer.alloc(bavail * bsize - left))
  return () => rm(ballast)
}

const codesOf = (status: GatewayStatus | null): string[] => status?.health.problems.map(({ code }) => code) ?? []

/** Nothing waits but what has just come. */
const isForwarded = (status: GatewayStatus | null): boolean =>
  status?.link.link === 'up' && (status.oldestPending ?? 0) < 3000

describe('a pair of gateways', () => {
  it(`loses and doubles nothing in ${KILLS} rounds of everything (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    await onSite({ ...MANY, nodes: 3 }, async (site) => {
      for (let round = 0; round < KILLS; round++) {
        await inStep(site)
        const strike = ROUNDS[Math.floor(random.next() * ROUNDS.length)]
        await strike?.(site, random.next() < 0.5 ? 0 : 1, random)
      }
      await expectNoReadingLost(site)
    })
  })

  it('goes on while the disk of one is full', async () => {
    await onSmallDisk(128, async (disk) => {
      const outbox = { minFree: '24MB', reserve: '1MB', maxBytes: '1GB', retainAcked: { bytes: 0, age: 0 } }
      const options = { ...MANY, dataDir: join(disk, 'gateway'), config: { ...PAIR.config, outbox } }
      await onSite(options, async (site) => {
        const [first, second] = site.gateways
        if (!first || !second) throw new Error('expected two gateways')
        await inStep(site)
        await site.cutLink()
        await waiting(site, 0, 500)
        // Less than `minFree` is left, and more than LevelDB needs to go on.
        const removeBallast = await fillUp(disk, 12 * MIB)
        await first.process.waitFor((status) => status?.outbox.full === 'disk', WITHIN)
        const accepted = first.process.status?.outbox.lanes.readings.accepted
        // Nobody keeps copies for the second one: it says so, takes all devices, and goes on by itself.
        await second.process.waitFor((status) => codesOf(status).includes('DURABILITY_DEGRADED'), WITHIN)
        await second.process.waitFor((status) => codesOf(status).includes('PEER_REFUSES'), WITHIN)
        await expect.poll(() => site.view().fleet.homes, { timeout: WITHIN }).toEqual([0, MANY.connections])
        await acknowledgedMore(site, 2000, WITHIN)
        await waiting(site, 1, 2000)
        expect(first.process.status?.health).toMatchObject({ state: 'closed' })
        // Both get rid of what they have as soon as the centre is there again, full or not.
        await site.healLink()
        for (const { process } of site.gateways) await process.waitFor(isForwarded, WITHIN)
        await acknowledgedMore(site, 2000, WITHIN)
        expect(first.process.status?.outbox).toMatchObject({ full: 'disk', lanes: { readings: { accepted } } })
        // It was dialled all the time, and that is not told all the time.
        expect(second.process.log.filter((line) => line.includes('(DISK_FULL)')).length).toBeLessThan(5)
        await removeBallast()
        await first.process.waitFor((status) => status?.outbox.state === 'open', WITHIN)
        await inStep(site)
        await acknowledgedMore(site, 500)
        expect(await expectNoReadingLost(site)).toMatchObject({ kills: 0 })
      })
    })
  })
})
