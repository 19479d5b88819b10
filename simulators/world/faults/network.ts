import { NO_FAULTS } from '../../../sync/link/index.ts'
import type { Fault } from './fault.ts'

/** Between devices and gateways, gateways and gateways, gateways and the centre. */
export const NETWORK: readonly Fault[] = [
  {
    weight: 12,
    strike(site) {
      for (const device of site.devices) if (site.random.next() < 0.3) device.drop()
    },
  },
  {
    weight: 6,
    strike(site) {
      const pair = site.anyTwo()
      if (!pair) return
      const [one, other] = [pair.one.name, pair.other.name]
      const isWhole = site.random.next() < 0.6
      site.log(isWhole ? `cut ${one} <-> ${other}` : `cut ${one} -> ${other}`)
      site.peers.cut(one, other)
      if (isWhole) site.peers.cut(other, one)
    },
  },
  {
    weight: 10,
    strike(site) {
      const pair = site.anyTwo()
      if (!pair) return
      site.log(`heal ${pair.one.name} <-> ${pair.other.name}`)
      site.peers.heal(pair.one.name, pair.other.name)
      site.peers.heal(pair.other.name, pair.one.name)
    },
  },
  {
    weight: 3,
    strike(site) {
      const pair = site.anyTwo()
      if (pair) site.peers.drop(pair.one.name, pair.other.name)
    },
  },
  {
    weight: 4,
    strike(site) {
      const { name } = site.any(site.gateways)
      site.log(`${name} loses the centre`)
      site.centre.cut(name)
    },
  },
  {
    weight: 6,
    strike(site) {
      const { name } = site.any(site.gateways)
      site.log(`${name} reaches the centre`)
      site.centre.heal(name)
    },
  },
  {
    weight: 3,
    strike(site) {
      site.log('the link to the centre is poor')
      const bad = (): number => site.random.next() * 0.2
      site.centre.faults = { loseRequest: bad(), loseAnswer: bad(), disconnect: bad() / 2, staleRead: bad() }
    },
  },
  {
    weight: 3,
    strike(site) {
      site.log('the link to the centre is good')
      site.centre.faults = NO_FAULTS
    },
  },
]
