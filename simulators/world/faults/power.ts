import type { Fault } from './fault.ts'

/** Gateways lose power, or power and disk, and come back. */
export const POWER: readonly Fault[] = [
  {
    weight: 9,
    strike(site) {
      const gateway = site.any(site.gateways)
      if (!gateway.core) return
      site.log(`${gateway.name} loses power`)
      gateway.crash()
    },
  },
  {
    weight: 3,
    strike(site) {
      const gateway = site.any(site.gateways)
      if (!gateway.core || !site.maySpare(gateway)) return
      site.log(`${gateway.name} loses power and disk`)
      site.excuse(gateway)
      gateway.wipe()
    },
  },
  {
    weight: 11,
    async strike(site) {
      const down = site.gateways.filter(({ core }) => core === null)
      if (down.length === 0) return
      const gateway = site.any(down)
      site.log(`${gateway.name} starts`)
      await site.start(gateway)
    },
  },
]
