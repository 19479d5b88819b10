import type { Ledger } from '../ledger/index.ts'
import type { LoadResult } from './load.ts'

/** Writes into a ledger what a load run got acknowledged: a few numbers a device, however many readings it sent. */
export function recordLoad(ledger: Ledger, result: LoadResult): void {
  ledger.addRun(result.run)
  for (const { device, metric, session, topic, firstSeq, sent, acknowledged } of result.devices) {
    ledger.addTopic(topic, { device, metric })
    const series = ledger.series({ device, metric, session })
    if (sent > 0) series.attemptRange(firstSeq, firstSeq + sent - 1)
    if (acknowledged > 0) series.acknowledge(firstSeq, firstSeq + acknowledged - 1)
  }
}
