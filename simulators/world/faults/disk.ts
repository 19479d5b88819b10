import type { Fault } from './fault.ts'

/** Disks that are full, that fail, or that were put back from a copy. */
export const DISK: readonly Fault[] = [
  {
    weight: 3,
    strike(site) {
      const gateway = site.any(site.gateways)
      site.log(`the disk of ${gateway.name} is full`)
      gateway.disk.capacity = 0
    },
  },
  {
    weight: 3,
    strike(site) {
      const gateway = site.any(site.gateways)
      site.log(`the next write of ${gateway.name} fails`)
      gateway.disk.failNextWrite = site.random.next() < 0.5 ? 'before' : 'after'
    },
  },
  {
    weight: 6,
    strike(site) {
      for (const { disk } of site.gateways) disk.capacity = Number.POSITIVE_INFINITY
    },
  },
  {
    weight: 3,
    strike(site) {
      const gateway = site.any(site.gateways)
      site.log(`a copy of the disk of ${gateway.name} is made`)
      gateway.backUp()
    },
  },
  {
    weight: 2,
    // What was sent between the copy and the end is sent again, under a new epoch.
    forgetful: true,
    strike(site) {
      const gateway = site.any(site.gateways)
      if (!gateway.hasCopy || !gateway.core || !site.maySpare(gateway)) return
      site.log(`${gateway.name} loses power and gets its older disk`)
      site.excuse(gateway)
      gateway.restore()
    },
  },
]
