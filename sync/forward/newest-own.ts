import { HEADERS, type Millis, type StreamSequence } from '../contract/index.ts'
import { type CentralSession, type ChainHead, StaleReadError } from '../link/index.ts'

/** What a chain has of one epoch. */
export interface NewestOwn {
  /** The newest message of the epoch, or fence that repeats it; null when none was found. */
  own: ChainHead | null
  /** Whether the message that the cursor names is still there, or something newer of the epoch. */
  anchored: boolean
}

/**
 * The newest message of an epoch on a chain that may end with somebody else's: under those there may be newer ones of ours than we
 * know of.
 *
 * @param known sequence of a message that was seen on the chain before; 0 = none
 * @param from where to begin to look; null = nothing can be there
 * @throws StaleReadError
 */
export async function newestOwn(
  session: CentralSession,
  { stream, subject, epoch }: { stream: string; subject: string; epoch: string },
  head: ChainHead | null,
  known: StreamSequence,
  from: StreamSequence | null,
  timeout: Millis,
): Promise<NewestOwn> {
  const isOwn = (message: ChainHead): boolean => message.headers.get(HEADERS.epoch) === epoch
  if (!head) return { own: null, anchored: false }
  if (isOwn(head)) return { own: head, anchored: true }
  if (head.sequence === known || from === null) return { own: null, anchored: true }
  if (head.sequence < known) throw new StaleReadError(subject)
  let own: ChainHead | null = null
  let anchored = known === 0
  for (let at = from; at <= head.sequence; ) {
    const message = await session.nextFrom(stream, subject, at, timeout)
    if (!message) throw new StaleReadError(subject)
    if (message.sequence === known) anchored = true
    if (isOwn(message)) own = message
    at = message.sequence + 1
  }
  return { own, anchored: anchored || own !== null }
}
