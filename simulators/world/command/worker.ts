import type { Answer, Order } from './crew.ts'
import { type Report, reportOn } from './report.ts'
import { worldOf } from './schedule.ts'

/** A process that lives sites for another one, until that ends it or is gone. */
process.on('message', ({ from, count, wish }: Order) => {
  void (async () => {
    const reports: Report[] = []
    for (let seed = from; seed < from + count; seed++) {
      reports.push(await reportOn(worldOf(seed, wish)))
      // Simulated time does not let the event loop in: whether anybody still waits shows here.
      await new Promise((resolve) => setImmediate(resolve))
    }
    const answer: Answer = { reports }
    process.send?.(answer)
  })()
})
process.on('disconnect', () => process.exit(0))
