import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { type Bytes, DeadLetterError, HEADERS, NDJSON, type Offset } from '../contract/index.ts'
import type { ChainHead, OutgoingMessage } from '../link/index.ts'
import type { OwnHead } from './position.ts'
import type { Gap, GapReason, LaneSlice } from './source.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Below this a gzip header costs more than it saves. */
const WORTH_COMPRESSING: Bytes = 512
const GZIP_LEVEL = 1
/** A body that unpacks to more than this was not made by a gateway. */
const MAX_UNPACKED: Bytes = 64 * 1024 * 1024

/** Room for the headers of a pack in the server's maximum message size. */
export const HEADER_ROOM: Bytes = 4096

/** What a pack says about itself, in its headers. */
export interface PackFacts {
  epoch: string
  from: Offset
  /** Last offset covered (inclusive). */
  to: Offset
  term: number
  /** Lines in the body. */
  count: number
  gaps: readonly Gap[]
  lineage: number | null
}

/** A slice of a lane as one message. */
export async function encodePack(
  slice: LaneSlice,
  origin: { epoch: string; term: number },
  target: { stream: string; subject: string },
  gzipped: boolean,
): Promise<OutgoingMessage> {
  const headers: [string, string][] = [
    [HEADERS.epoch, origin.epoch],
    [HEADERS.from, String(slice.from)],
    [HEADERS.to, String(slice.next - 1)],
    [HEADERS.term, String(origin.term)],
    [HEADERS.count, String(slice.count)],
    [HEADERS.contentType, NDJSON],
  ]
  if (slice.gaps.length > 0) headers.push([HEADERS.gaps, slice.gaps.map(formatGap).join(', ')])
  if (slice.lineage !== null) headers.push([HEADERS.lineage, slice.lineage.toString(16).padStart(8, '0')])
  let body: Uint8Array = slice.body
  if (gzipped && slice.body.length >= WORTH_COMPRESSING) {
    body = await compress(slice.body, { level: GZIP_LEVEL })
    headers.push([HEADERS.contentEncoding, 'gzip'])
  }
  return { ...target, headers, body }
}

/** The slice with its records declared `oversize`: no message can hold them. */
export function withoutRecords(slice: LaneSlice): LaneSlice {
  const { from, next, gaps } = slice
  const all: Gap[] = []
  let at = from
  for (const gap of gaps) {
    if (gap.from > at) all.push({ from: at, to: gap.from - 1, reason: 'oversize' })
    all.push(gap)
    at = gap.to + 1
  }
  if (at < next) all.push({ from: at, to: next - 1, reason: 'oversize' })
  return { ...slice, count: 0, body: Buffer.alloc(0), gaps: all }
}

/**
 * The facts of a pack from its headers.
 *
 * @throws DeadLetterError `PACK_HEADERS` when they are not those of a pack
 */
export function decodePackFacts(header: (name: string) => string | undefined): PackFacts {
  const lineage = header(HEADERS.lineage)
  const facts = {
    epoch: header(HEADERS.epoch) ?? '',
    from: integer(header(HEADERS.from)),
    to: integer(header(HEADERS.to)),
    term: integer(header(HEADERS.term)),
    count: integer(header(HEADERS.count)),
    gaps: parseGaps(header(HEADERS.gaps)),
    lineage: lineage === undefined ? null : Number.parseInt(lineage, 16),
  }
  if (facts.epoch === '') throw notAPack(`${HEADERS.epoch} is missing`)
  const missing = facts.gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
  if (facts.to - facts.from + 1 !== facts.count + missing)
    throw notAPack(
      `it covers ${facts.from}..${facts.to}, but has ${facts.count} records and declares ${missing} missing`,
    )
  return facts
}

/**
 * The NDJSON lines of a pack's body, one for each record; their offsets are `offsetsOf(facts)` in the same order.
 *
 * @throws DeadLetterError `PACK_BODY` when it cannot be unpacked or has another number of lines than declared
 */
export async function decodePackBody(
  facts: PackFacts,
  body: Uint8Array,
  encoding: string | undefined,
): Promise<string[]> {
  const plain = encoding === 'gzip' ? await unzip(body) : body
  const lines = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8').split('\n')
  lines.pop()
  if (lines.length !== facts.count)
    throw new DeadLetterError('PACK_BODY', `the pack declares ${facts.count} records and has ${lines.length}`)
  return lines
}

async function unzip(body: Uint8Array): Promise<Uint8Array> {
  try {
    return await decompress(body, { maxOutputLength: MAX_UNPACKED })
  } catch (error) {
    throw new DeadLetterError('PACK_BODY', 'the pack cannot be unpacked', { cause: error })
  }
}

/** The offset of every line of a pack. */
export function* offsetsOf(facts: PackFacts): Iterable<Offset> {
  let at = facts.from
  for (const gap of [...facts.gaps, { from: facts.to + 1, to: facts.to + 1 }]) {
    while (at < gap.from) yield at++
    at = gap.to + 1
  }
}

/** The part of a chain's head that matters to its own writer; null when it is not of this epoch. */
export function ownHead(head: ChainHead | null, epoch: string): OwnHead | null {
  if (!head || head.headers.get(HEADERS.epoch) !== epoch) return null
  const { to, term, lineage } = decodePackFacts((name) => head.headers.get(name))
  return { sequence: head.sequence, to, term, lineage }
}

const formatGap = (gap: Gap): string => `${gap.from}-${gap.to} ${gap.reason}`

const REASONS: ReadonlySet<string> = new Set<GapReason>(['evicted', 'damaged', 'trimmed', 'oversize', 'repeated'])

function parseGaps(text: string | undefined): Gap[] {
  if (text === undefined) return []
  return text.split(', ').map((part) => {
    const found = /^(\d+)-(\d+) ([a-z]+)$/.exec(part)
    if (!found?.[3] || !REASONS.has(found[3])) throw notAPack(`'${part}' is not a gap`)
    return { from: Number(found[1]), to: Number(found[2]), reason: found[3] as GapReason }
  })
}

function integer(text: string | undefined): number {
  if (text === undefined || !/^\d{1,16}$/.test(text)) throw notAPack(`'${text ?? ''}' is not a whole number`)
  return Number(text)
}

function notAPack(what: string): DeadLetterError {
  return new DeadLetterError('PACK_HEADERS', `the message is not a pack of a gateway: ${what}`)
}
