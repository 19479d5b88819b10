import { TAKEOVER_AFTER } from '../settings.ts'
import type { Fault } from './fault.ts'

/** Messages that are late, links that come and go, and gateways that stand still for a while and do not know it. */
export const SLOWNESS: readonly Fault[] = [
  {
    weight: 4,
    strike(site) {
      const pair = site.anyTwo()
      if (!pair) return
      const delay = site.random.next() < 0.4 ? 0 : Math.floor(site.random.next() * 700)
      site.log(`messages of ${pair.one.name} -> ${pair.other.name} take ${delay} ms more`)
      site.peers.delay(pair.one.name, pair.other.name, delay)
    },
  },
  {
    weight: 2,
    async strike(site) {
      const pair = site.anyTwo()
      if (!pair) return
      const [one, other] = [pair.one.name, pair.other.name]
      site.log(`the link ${one} <-> ${other} comes and goes`)
      for (let times = 2 + Math.floor(site.random.next() * 4); times > 0; times--) {
        site.peers.cut(one, other)
        site.peers.cut(other, one)
        await site.clock.advance(site.random.next() * 1000)
        site.peers.heal(one, other)
        site.peers.heal(other, one)
        await site.clock.advance(site.random.next() * 1000)
      }
    },
  },
  {
    weight: 3,
    async strike(site) {
      const gateway = site.any(site.gateways)
      if (!gateway.core) return
      site.log(`${gateway.name} stands still`)
      gateway.stall.stop()
      await site.clock.advance(500)
      // Some of its devices find that it is silent; the others wait for it.
      for (const device of site.devices) if (device.door === gateway && site.random.next() < 0.7) device.drop()
      await site.clock.advance(site.random.next() * 2.5 * TAKEOVER_AFTER)
      site.log(`${gateway.name} goes on`)
      gateway.stall.goOn()
    },
  },
]
