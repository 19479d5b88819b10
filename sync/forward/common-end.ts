import type { Millis, Offset } from '../contract/index.ts'
import type { CentralSession } from '../link/index.ts'
import { ownHead } from './pack.ts'
import type { LaneSource } from './source.ts'

/**
 * Where this lane and the history that the centre has of it part: the offset after the last pack of the chain that
 * tells the same as the lane. An outbox that was restored from a copy finds so what had been forwarded before the copy
 * was made, and after it.
 */
export async function commonEnd(
  session: CentralSession,
  target: { stream: string; subject: string },
  source: LaneSource,
  timeout: Millis,
): Promise<Offset> {
  let { next, sequence } = source.cursor
  for (;;) {
    const message = await session.nextFrom(target.stream, target.subject, sequence, timeout)
    if (!message) return next
    sequence = message.sequence + 1
    const own = ownHead(message, source.epoch)
    if (!own) continue
    const end = own.to + 1
    if (end > source.durable || own.lineage === null || own.lineage !== (await source.lineageAt(end))) return next
    next = Math.max(next, end)
  }
}
