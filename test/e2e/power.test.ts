import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { pause, seededRandom, systemClock } from '../../sync/runtime/index.ts'
import { acknowledgedMore, bufferedAtLeast, ENTRY, expectNothingWrong, onSite } from '../support/site.ts'

describe('a gateway that dies', () => {
  it('loses and doubles nothing when it is killed again and again under load', { timeout: 120_000 }, async () => {
    const random = seededRandom(Number(process.env['TEST_SEED'] ?? 7))
    const kills = Number(process.env['TEST_KILLS'] ?? 8)
    await onSite({ devices: 40, rate: 40, trouble: 0.5, connections: 10 }, async (site) => {
      for (let kill = 0; kill < kills; kill++) {
        await acknowledgedMore(site, 200)
        // A random moment, not one at which something just became true.
        await pause(systemClock, random.next() * 300)
        const linkToo = random.next() < 0.4
        if (linkToo) await site.cutLink()
        await site.killGateway()
        await site.gateway.start()
        if (linkToo) {
          await acknowledgedMore(site, 100)
          await site.healLink()
        }
      }
      const summary = await expectNothingWrong(site)
      expect(summary.kills).toBe(kills)
    })
  })

  it('keeps a backlog over a restart and goes on where it was', { timeout: 60_000 }, async () => {
    await onSite({ devices: 40, rate: 50, connections: 10 }, async (site) => {
      await acknowledgedMore(site, 500)
      await site.cutLink()
      await bufferedAtLeast(site, 8000)
      await site.killGateway()
      await site.gateway.start()
      await bufferedAtLeast(site, 8000)
      await site.healLink()
      await expectNothingWrong(site)
    })
  })

  it('stops cleanly under load: what it acknowledged is there, what it did not is sent again', async () => {
    await onSite({ devices: 40, rate: 50, connections: 10 }, async (site) => {
      for (let round = 0; round < 3; round++) {
        await acknowledgedMore(site, 500)
        await site.gateway.stop()
        expect(site.gateway.log.at(-1)).toContain('"msg":"stopped"')
        await site.gateway.start()
      }
      await expectNothingWrong(site)
    })
  })

  it('refuses to share its outbox with a second process', async () => {
    await onSite({}, async (site) => {
      await acknowledgedMore(site, 20)
      const second = spawn(process.execPath, [ENTRY, 'run', '--config', site.addresses.config], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let said = ''
      second.stderr.on('data', (data: Buffer) => {
        said += data.toString()
      })
      const [code] = await once(second, 'exit')
      expect(code).toBe(3)
      expect(said).toContain('STORE_LOCKED')
      expect(said).toContain('in use by another gateway')
      await expectNothingWrong(site)
    })
  })
})
