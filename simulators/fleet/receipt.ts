import { type Ledger, type SeriesLedger, spoiledKey } from '../ledger/index.ts'
import type { PlannedPublish } from './plan.ts'

/** What has to be written into the ledger when a publish is sent, and when it is acknowledged. */
export interface Receipt {
  attempted(): void
  acknowledged(): void
}

/** Looks up where in the ledger the readings of a publish belong. */
export function receiptFor(ledger: Ledger, publish: PlannedPublish): Receipt {
  const { device, topic, payload, kind, readings } = publish
  if (kind === 'spoiled') {
    const entry = { device, topic, key: spoiledKey(topic, payload) }
    return {
      attempted: () => ledger.countSpoiled(entry, 1, 0),
      acknowledged: () => ledger.countSpoiled(entry, 0, 1),
    }
  }
  const entries = readings.map(({ metric, value, time, key }): Receipt => {
    if (key.by === 'count') {
      return {
        attempted: () => ledger.count({ device, metric }, 1, 0),
        acknowledged: () => ledger.count({ device, metric }, 0, 1),
      }
    }
    const { by } = key
    const series: SeriesLedger =
      by === 'seq' ? ledger.series({ device, metric, session: key.session }) : ledger.timedSeries({ device, metric })
    const id = by === 'seq' ? key.seq : time
    return { attempted: () => series.attempt(id, value), acknowledged: () => series.acknowledge(id) }
  })
  return {
    attempted: () => {
      for (const entry of entries) entry.attempted()
    },
    acknowledged: () => {
      for (const entry of entries) entry.acknowledged()
    },
  }
}
