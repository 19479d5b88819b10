import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import type { Site } from '../../simulators/site/index.ts'
import { type Random, seededRandom } from '../../sync/runtime/index.ts'
import { apart, expectNoReadingLost, inStep, PAIR, tookOver, waiting } from '../e2e/support/pair.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'

const KILLS = Number(process.env['TEST_KILLS'] ?? 200)
const SEED = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000)
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

describe('a pair of gateways', () => {
  it(`loses and doubles nothing in ${KILLS} rounds of everything (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    await onSite(MANY, async (site) => {
      for (let round = 0; round < KILLS; round++) {
        await inStep(site)
        const strike = ROUNDS[Math.floor(random.next() * ROUNDS.length)]
        await strike?.(site, random.next() < 0.5 ? 0 : 1, random)
      }
      await expectNoReadingLost(site)
    })
  })

  it('goes on while the disk of one is full', async () => {
    await onSmallDisk(40, async (disk) => {
      const outbox = { minFree: '24MB', reserve: '1MB', maxBytes: '1GB', retainAcked: { bytes: 0, age: 0 } }
      const options = { ...MANY, rate: 20, dataDir: join(disk, 'gateway'), config: { ...PAIR.config, outbox } }
      await onSite(options, async (site) => {
        await inStep(site)
        await site.cutLink()
        await site.gateway.waitFor((status) => status?.outbox.full === 'disk', 120_000)
        await waiting(site, 1, 1000)
        await acknowledgedMore(site, 500)
        await site.healLink()
        await site.gateway.waitFor((status) => status?.outbox.state === 'open', 120_000)
        await inStep(site)
        await expectNoReadingLost(site)
      })
    })
  })
})
