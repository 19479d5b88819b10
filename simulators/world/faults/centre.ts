import { STREAMS } from '../../../sync/contract/index.ts'
import type { Fault } from './fault.ts'

/** A centre that loses what it has acknowledged. */
export const CENTRE: readonly Fault[] = [
  {
    weight: 2,
    forgetful: true,
    strike(site) {
      const count = 1 + Math.floor(site.random.next() * 6)
      site.log(`the centre forgets its newest ${count} messages`)
      site.centre.forget(STREAMS.readings, count)
      site.centre.forget(STREAMS.events, count)
    },
  },
  {
    weight: 0.5,
    forgetful: true,
    strike(site) {
      site.log('the centre loses its readings')
      site.centre.wipe(STREAMS.readings)
    },
  },
]
