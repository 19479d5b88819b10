import { UsageError } from '../../sync/contract/index.ts'
import type { Ledger } from '../ledger/index.ts'
import type { LoadResult } from './load.ts'

/**
 * Writes into a ledger what a load run got acknowledged: a few numbers a device, however many readings it sent.
 *
 * @throws UsageError `LOAD_NOT_COUNTED` when its readings carry no counter by which the ledger could know them
 */
export function recordLoad(ledger: Ledger, result: LoadResult): void {
  if (!result.counted)
    throw new UsageError('LOAD_NOT_COUNTED', "only a load of form 'object' with one series a connection fits a ledger")
  ledger.addRun(result.run)
  for (const { device, metric, session, topic, firstSeq, sent, acknowledged } of result.devices) {
    ledger.addTopic(topic, { device, metric })
    const series = ledger.series({ device, metric, session })
    if (sent > 0) series.attemptRange(firstSeq, firstSeq + sent - 1)
    if (acknowledged > 0) series.acknowledge(firstSeq, firstSeq + acknowledged - 1)
  }
}
