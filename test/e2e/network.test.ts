import { describe, expect, it } from 'vitest'
import { acknowledgedMore, bufferedAtLeast, drained, expectNothingWrong, onSite } from '../support/site.ts'

describe('a network that fails', () => {
  it('buffers through a long cut and drains in order', { timeout: 60_000 }, async () => {
    await onSite({ devices: 40, rate: 50, connections: 10, trouble: 1 }, async (site) => {
      await acknowledgedMore(site, 500)
      await site.cutLink()
      await bufferedAtLeast(site, 10_000)
      await site.healLink()
      await drained(site)
      await expectNothingWrong(site)
    })
  })

  it('has a first reading in the stream within a second of the link coming back', async () => {
    await onSite({}, async (site) => {
      await acknowledgedMore(site, 50)
      await site.cutLink()
      await bufferedAtLeast(site, 500)
      const before = site.gateway.status?.outbox.lanes.readings.forwarded ?? 0
      await site.healLink()
      // The status comes four times a second; that much is granted to the observer.
      await site.gateway.waitFor((status) => (status?.outbox.lanes.readings.forwarded ?? 0) > before, 1_500)
      await expectNothingWrong(site)
    })
  })

  it.each([
    ['swallows acknowledgements', 'swallow-messages'],
    ['swallows everything in silence', 'black-hole'],
    ['lets only one direction through', 'half-open'],
  ] as const)(
    'needs no dedupe window when it %s, then goes away, then comes back',
    { timeout: 90_000 },
    async (_, kind) => {
      const central = { ackTimeout: '500ms', dialTimeout: '500ms' }
      await onSite({ config: { central } }, async (site) => {
        await acknowledgedMore(site, 100)
        const fault =
          kind === 'half-open' ? ({ kind, swallow: 'toClient' } as const) : kind === 'black-hole' ? { kind } : { kind }
        const releases = await Promise.all(site.links.map((link) => link.inject(fault)))
        await bufferedAtLeast(site, 1000)
        await site.cutLink()
        for (const release of releases) await release()
        await bufferedAtLeast(site, 1500)
        await site.healLink()
        await drained(site)
        await expectNothingWrong(site)
      })
    },
  )

  it('gets through a thin, slow link without flooding it', { timeout: 60_000 }, async () => {
    await onSite({ rate: 10 }, async (site) => {
      await acknowledgedMore(site, 50)
      await site.cutLink()
      await bufferedAtLeast(site, 2000)
      const releases = [await site.links[0]?.latency(150, 50), await site.links[0]?.bandwidth(60_000)]
      await site.healLink()
      await drained(site)
      for (const release of releases) await release?.()
      expect(site.gateway.status?.link.link).toBe('up')
      await expectNothingWrong(site)
    })
  })
})
