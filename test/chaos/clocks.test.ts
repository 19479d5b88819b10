import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { SiteGateway } from '../../simulators/site/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { expectNoReadingLost, expectNothingLost, inStep, PAIR } from '../e2e/support/pair.ts'
import { acknowledgedMore, onSite } from '../support/site.ts'

/** For what takes seconds on a machine that has nothing else to do. */
const WITHIN: Millis = 120_000
const SHIFT: Millis = 3 * 3600_000
const CLOCK = pathToFileURL(resolve(import.meta.dirname, '../support/shifted-clock.mjs'))

/** By itself a gateway takes the clock of a device for broken that is an hour ahead, and sets aside what it says. */
const CONFIG = { ...PAIR.config, ingest: { maxFuture: '12h' } }

/** @param then what a SIGUSR2 makes of it */
const shiftedBy = (shift: Millis, then = -shift): { NODE_OPTIONS: string } => ({
  NODE_OPTIONS: `--import=${CLOCK.href}?ms=${shift}&then=${then}`,
})

/** Waits until the gateway takes it for so much later than it is. */
async function isShifted({ process }: SiteGateway, shift: Millis): Promise<void> {
  const is = (at: Millis): boolean => Math.abs(at - Date.now() - shift) < WITHIN
  await process.waitFor((status) => status !== null && is(status.at), WITHIN)
}

/** Waits until the gateway says who says that its clock is behind, and that somebody should set it. */
async function isBehind({ process }: SiteGateway, says: string | null): Promise<void> {
  await process.waitFor((status) => {
    if (status === null) return false
    const told = status.health.problems.some(({ code }) => code === 'CLOCK_BEHIND')
    return (status.clock.behind?.says ?? null) === says && told === (says !== null)
  }, WITHIN)
}

describe('a gateway whose clock is behind', () => {
  it.each([
    ['by hours', -SHIFT, 'devices'],
    ['by decades', 1_000_000 - Date.now(), 'calendar'],
  ])('%s makes no dead letters of right devices, says so, and no more when it is set', async (_, shift, says) => {
    await onSite({ ...PAIR, oneClock: false }, async (site) => {
      const [first] = site.gateways
      if (!first) throw new Error('expected two gateways')
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      // Nobody can ask the centre what time it is.
      await site.cutLink()
      await first.process.stop()
      first.process.install({ env: shiftedBy(shift, 0) })
      await first.process.start(WITHIN)
      await inStep(site)
      await site.killGateway(1)
      await acknowledgedMore(site, 500, WITHIN)
      await isBehind(first, says)
      await site.healLink()
      await isBehind(first, 'centre')
      await acknowledgedMore(site, 300, WITHIN)
      process.kill(first.process.pid ?? expect.fail('the first gateway does not run'), 'SIGUSR2')
      await isBehind(first, null)
      await acknowledgedMore(site, 300, WITHIN)
      await site.startGateway(1)
      await inStep(site)
      const summary = await expectNoReadingLost(site)
      expect(summary).toMatchObject({ kills: 1, deadLettered: 0 })
    })
  })
})

describe('a pair of gateways whose clocks differ by hours', () => {
  it('loses and doubles nothing, and tells every alarm once, ahead, over a jump, and behind', async () => {
    await onSite({ ...PAIR, config: CONFIG, oneClock: false }, async (site) => {
      const [first] = site.gateways
      if (!first) throw new Error('expected two gateways')
      const setClock = async (env: Readonly<Record<string, string>>): Promise<void> => {
        await first.process.stop()
        first.process.install({ env })
        await first.process.start(WITHIN)
      }
      const moveFrom = async (which: number): Promise<void> => {
        await inStep(site)
        await acknowledgedMore(site, 300, WITHIN)
        await site.killGateway(which)
        await acknowledgedMore(site, 500, WITHIN)
        await site.startGateway(which)
        await inStep(site)
      }
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      await setClock(shiftedBy(SHIFT))
      await isShifted(first, SHIFT)
      await moveFrom(1)
      await expect.poll(() => site.view().fleet.homes, { timeout: WITHIN }).toEqual([PAIR.devices, 0])
      // It is set back by six hours while all devices are with it.
      process.kill(first.process.pid ?? expect.fail('the first gateway does not run'), 'SIGUSR2')
      await isShifted(first, -SHIFT)
      await acknowledgedMore(site, 500, WITHIN)
      first.process.install({ env: shiftedBy(-SHIFT) })
      await moveFrom(0)
      await isShifted(first, -SHIFT)
      await moveFrom(1)
      // Somebody sets it right.
      await setClock({})
      await isShifted(first, 0)
      await inStep(site)
      await acknowledgedMore(site, 300, WITHIN)
      const summary = await expectNothingLost(site)
      expect(summary).toMatchObject({ kills: 3, deadLettered: 0 })
      expect(summary.events.raised).toBeGreaterThan(0)
    })
  })
})
