import { DeadLetterError, HEADERS, type Millis, type StreamSequence } from '../contract/index.ts'
import { type CentralSession, type ChainMessage, StaleReadError, WrongLastSequenceError } from '../link/index.ts'
import { encodeFence, fenceOf } from './fence.ts'
import { decodePackBody, decodePackFacts, type PackFacts } from './pack.ts'

/** A pack of another gateway's chain, with its records. */
export interface LearntPack {
  facts: PackFacts
  /** One NDJSON line a record; their offsets are `offsetsOf(facts)`. */
  lines: readonly string[]
  sequence: StreamSequence
}

/** Which chain is read, and how far it is known. */
export interface ChainReading {
  stream: string
  subject: string
  /** Sequence of the newest message of the chain that was seen; 0 = none. */
  after: StreamSequence
  ackTimeout: Millis
  /** Called for every pack behind `after`, in order; the next one waits. */
  learn(pack: LearntPack): Promise<void>
}

/** Who fences the chain. */
export interface FenceOrder extends ChainReading {
  by: string
  /** The gateway in whose place `by` is about to send; null when that is itself. */
  inPlaceOf: string | null
  /**
   * A fence of `by` that the chain ends with already serves if it is newer than this: older ones may have been seen by the chain's owner,
   * who then has decided something that we do not know.
   */
  newerThan: StreamSequence
}

/** How a chain ends. */
interface ChainEnd {
  newest: ChainMessage | null
  /** The newest message that tells the chain's position: the end itself unless that is of nobody. */
  told: ChainMessage | null
  /** Everything up to here was learnt. */
  sequence: StreamSequence
}

/**
 * Reads a chain to its end.
 *
 * @returns sequence of the newest message seen; `after` when nothing is behind it
 */
export async function readChain(session: CentralSession, reading: ChainReading): Promise<StreamSequence> {
  return (await readToEnd(session, reading)).sequence
}

/**
 * Reads a chain to its end and puts a fence there. When this returns, everything that was ever stored on the chain before the
 * fence was learnt, and nothing can follow it whose writer has not read it.
 *
 * @returns sequence of the fence
 */
export async function raiseFence(session: CentralSession, order: FenceOrder): Promise<StreamSequence> {
  const { stream, subject, by, inPlaceOf, ackTimeout, newerThan } = order
  const fence = { by, inPlaceOf: inPlaceOf === null ? [] : [inPlaceOf] }
  let { after } = order
  const learn = async (pack: LearntPack): Promise<void> => {
    await order.learn(pack)
    after = pack.sequence
  }
  for (;;) {
    try {
      const { newest, told, sequence } = await readToEnd(session, { ...order, after, learn })
      // Where a replica lags, what it calls the newest is not what was seen last.
      const serves = newest !== null && newest.sequence > newerThan && newest.sequence >= sequence
      const there = newest && serves ? fenceOf(newest) : null
      if (newest && there?.by === by && (inPlaceOf === null || there.inPlaceOf.includes(inPlaceOf)))
        return newest.sequence
      const message = encodeFence({ stream, subject }, fence, newest, told)
      return await session.append(message, newest?.sequence ?? 0, ackTimeout)
    } catch (error) {
      // Somebody wrote meanwhile, or a replica lags behind: read on.
      if (!(error instanceof WrongLastSequenceError) && !(error instanceof StaleReadError)) throw error
    }
  }
}

async function readToEnd(session: CentralSession, reading: ChainReading): Promise<ChainEnd> {
  const { stream, subject, ackTimeout, learn } = reading
  const newest = await session.head(stream, subject, ackTimeout)
  const end = newest?.sequence ?? 0
  const endTells = newest !== null && tellsPosition(newest)
  let told = endTells ? newest : null
  let sequence = reading.after
  while (sequence < end) {
    const message = await session.nextFrom(stream, subject, sequence + 1, ackTimeout)
    if (!message) throw new StaleReadError(subject)
    const pack = await packOf(message)
    if (pack) await learn(pack)
    if (!endTells && tellsPosition(message)) told = message
    sequence = message.sequence
  }
  return { newest, told, sequence }
}

const tellsPosition = (message: ChainMessage): boolean => message.headers.has(HEADERS.to)

/** Null when it is a fence, or of nobody. */
async function packOf(message: ChainMessage): Promise<LearntPack | null> {
  if (fenceOf(message) !== null) return null
  try {
    const facts = decodePackFacts((name) => message.headers.get(name))
    const lines = await decodePackBody(facts, message.body, message.headers.get(HEADERS.contentEncoding))
    return { facts, lines, sequence: message.sequence }
  } catch (error) {
    if (error instanceof DeadLetterError) return null
    throw error
  }
}
