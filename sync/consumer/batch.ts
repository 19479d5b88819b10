import {
  DeadLetterError,
  HEADERS,
  isFence,
  type Lane,
  type Offset,
  type StreamSequence,
  unescapeToken,
} from '../contract/index.ts'
import { decodePackBody, decodePackFacts, type Gap, offsetsOf } from '../forward/index.ts'
import { decodeEventMessage } from './event.ts'

/** A message of a central stream, as stored. */
export interface StoredMessage {
  readonly subject: string
  readonly sequence: StreamSequence
  /** First value of every header. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
}

/** A message taken apart: records with their positions. */
export interface Batch {
  /** Whose offsets these are, see `RecordPosition`. */
  readonly origin: string
  readonly site: string
  /** Null when the message does not say it. */
  readonly gateway: string | null
  /** First offset covered. */
  readonly from: Offset
  /** Last offset covered (inclusive). */
  readonly to: Offset
  readonly term: number
  /** Running CRC-32 of the origin up to `to`; null when it is not told. */
  readonly lineage: number | null
  /** Holes that the gateway declares, ascending. */
  readonly gaps: readonly Gap[]
  /** One line a record, and the offset of each. */
  readonly lines: readonly string[]
  readonly offsets: readonly Offset[]
  /** CloudEvents `source`; null for packs. */
  readonly source: string | null
}

/** What the client library hands out. */
interface ClientMessage {
  readonly subject: string
  readonly data: Uint8Array
}

/**
 * A message from what the client library hands out.
 *
 * @param headers decodes them; where that throws (anybody may publish broken ones), the message is taken to have none
 */
export function storedMessage(
  { subject, data }: ClientMessage,
  sequence: StreamSequence,
  headers: () => Iterable<readonly [string, string[]]> | undefined,
): StoredMessage {
  const first = new Map<string, string>()
  try {
    for (const [name, values] of headers() ?? []) first.set(name, values[0] ?? '')
  } catch {
    first.clear()
  }
  return { subject, sequence, headers: first, body: data }
}

/**
 * Takes a message of a gateway apart: a pack (readings, dead letters), or one event; null when it is a fence, in which there is
 * nothing to consume.
 *
 * @throws DeadLetterError when it is no message of a gateway: somebody else published on the subject, or it is damaged.
 *   `PACK_HEADERS`, `PACK_BODY`, `EVENT_HEADERS`, `EVENT_INVALID`, `SUBJECT_TOKEN_INVALID`
 */
export async function decodeBatch(lane: Lane, message: StoredMessage): Promise<Batch | null> {
  if (isFence((name) => message.headers.get(name))) return null
  return lane === 'events' ? decodeEventMessage(message) : await decodePack(message)
}

async function decodePack({ subject, headers, body }: StoredMessage): Promise<Batch> {
  const [, site = '', gateway = ''] = subject.split('.').map((token) => unescapeToken(token))
  const facts = decodePackFacts((name) => headers.get(name))
  const { epoch, from, to, term, lineage, gaps } = facts
  if (!lieWithin(gaps, from, to))
    throw new DeadLetterError('PACK_HEADERS', `the declared holes do not fit into ${from}..${to}`)
  const lines = await decodePackBody(facts, body, headers.get(HEADERS.contentEncoding))
  const offsets = [...offsetsOf(facts)]
  return { origin: `${subject}/${epoch}`, site, gateway, from, to, term, lineage, gaps, lines, offsets, source: null }
}

/** Whether the holes lie within the range, ascending and apart: else records would get positions that they cannot have. */
function lieWithin(gaps: readonly Gap[], from: Offset, to: Offset): boolean {
  let next = from
  for (const gap of gaps) {
    if (gap.from < next || gap.to < gap.from) return false
    next = gap.to + 1
  }
  return next <= to + 1
}
