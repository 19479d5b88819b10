import type { Fault } from './fault.ts'

/** Clocks that jump, and time in which nothing happens, or everything that was begun. */
export const TIME: readonly Fault[] = [
  { weight: 25, strike: () => undefined },
  {
    weight: 2,
    strike(site) {
      const gateway = site.any(site.gateways)
      gateway.skew = (site.random.next() - 0.5) * 20_000
      site.log(`the clock of ${gateway.name} jumps by ${Math.round(gateway.skew)} ms`)
    },
  },
  { weight: 3, strike: (site) => site.clock.advance(site.random.next() * 8000) },
]
