import {
  LANES,
  type Lane,
  type Millis,
  type Offset,
  OperatorError,
  RetryableError,
  type StreamSequence,
} from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import { type Briefing, readBriefing } from './briefing.ts'

/** Where a lane of the sender stands. */
export interface LanePosition {
  /** One past the newest durable record. */
  next: Offset
  /** Running checksum there; null when it cannot be told. */
  lineage: number | null
}

/** How far the centre has a lane, and from where on its gateway keeps it. */
export interface LaneProgress {
  next: Offset
  sequence: StreamSequence
  tail: Offset
  /** Those before `next` that the centre does not have, because their copies leave in their place, as long as that may matter. */
  skipped: readonly Offset[]
}

/** A named set of rules as gateways exchange it. */
export interface SharedRules {
  given: unknown
  revision: string
  since: Millis
}

/** What the dialler of a session says. Whoever is told more than it knows leaves that out: a release may say more without being of another version. */
export type Request =
  /** Under every version it is a hello, with these names: who is refused for its version is known to live. */
  | { kind: 'hello'; version: number; site: string; gateway: string; epoch: string; lanes: Record<Lane, LanePosition> }
  /** Blocks of one or more whole commits: readings before the events that they caused. */
  | { kind: 'blocks'; blocks: readonly BlockPart[]; gaps: readonly { lane: Lane; gap: Gap }[] }
  | { kind: 'beat'; lanes: Record<Lane, LaneProgress> }
  | { kind: 'rules'; sets: Record<string, SharedRules> }
  /** To one that has asked for it, behind all that its lanes had: what their readings do not say. */
  | ({ kind: 'briefing' } & Briefing)
  /** Everything is handed over: the sender is about to stop. */
  | { kind: 'leaving' }

export interface BlockPart {
  lane: Lane
  value: Buffer
}

/** What it is answered. */
export type Answer =
  /** `brief`: it was never told what the sender knows beyond its lanes. */
  | {
      kind: 'welcome'
      version: number
      gateway: string
      epoch: string
      have: Record<Lane, LanePosition> | null
      brief?: boolean
    }
  /**
   * Everything before `next` is on disk here. When it was heard, `head` own readings had been accepted, of which those before
   * `settled` had left, but for those of `skipped`, which have copies that leave in their place. null when that cannot be told right
   * now: it is asked for again by the next beat.
   */
  | {
      kind: 'stored'
      next: Record<Lane, Offset>
      epoch: string
      head: Offset
      settled: Offset | null
      skipped: readonly Offset[]
    }
  | { kind: 'beat' }
  /** The session cannot go on; `code` says why, as in `TidegateError`. */
  | { kind: 'refused'; code: string; message: string }

/** To be raised only by what a gateway of the version before would get wrong: of what it does not know, fields do no harm, kinds do. */
export const PROTOCOL_VERSION = 1

/** Why there is no session with a gateway of another version. */
export const otherVersion = (peer: string, version: number, self: string): OperatorError =>
  new OperatorError(
    'PEER_VERSION',
    `${peer} speaks version ${version} of the protocol between gateways, and ${self} version ${PROTOCOL_VERSION}; bring both to the same release`,
  )

/**
 * A message of a session: 4 bytes length of a JSON text (big-endian), the text, and behind it the values of blocks one after the
 * other; the text says how long each is.
 */
export function encodeMessage(message: Request | Answer): Buffer {
  if (message.kind !== 'blocks') return frame(JSON.stringify(message), [])
  const blocks = message.blocks.map(({ lane, value }) => ({ lane, bytes: value.length }))
  return frame(
    JSON.stringify({ ...message, blocks }),
    message.blocks.map(({ value }) => value),
  )
}

/** @throws RetryableError `PEER_MESSAGE_INVALID` */
export function decodeRequest(bytes: Buffer): Request {
  const { head, body } = unframe(bytes)
  switch (head['kind']) {
    case 'hello':
      if (!HELLO.every((name) => typeof head[name] === 'string') || typeof head['version'] !== 'number')
        throw invalid("its 'hello' does not say who it is")
      // What else a hello of another version says is not for this one to judge.
      if (head['version'] === PROTOCOL_VERSION && !isByLane(head['lanes'])) throw invalid("its 'hello' has no lanes")
      return head as unknown as Request
    case 'beat':
      if (!isByLane(head['lanes'])) throw invalid("its 'beat' has no lanes")
      return head as unknown as Request
    case 'briefing': {
      const briefing = readBriefing(head)
      if (!briefing) throw invalid("its 'briefing' says nothing that is known here")
      return { kind: 'briefing', ...briefing }
    }
    case 'rules':
    case 'leaving':
      return head as unknown as Request
    case 'blocks':
      return { kind: 'blocks', blocks: cutBlocks(head['blocks'], body), gaps: gapsOf(head['gaps']) }
    default:
      throw invalid(`it says '${String(head['kind'])}'`)
  }
}

/** @throws RetryableError `PEER_MESSAGE_INVALID` */
export function decodeAnswer(bytes: Buffer): Answer {
  const { head } = unframe(bytes)
  switch (head['kind']) {
    case 'stored':
      if (!isByLane(head['next']) || !Array.isArray(head['skipped'])) throw invalid(`its 'stored' has no lanes`)
      return head as unknown as Answer
    case 'welcome':
    case 'beat':
    case 'refused':
      return head as unknown as Answer
    default:
      throw invalid(`it says '${String(head['kind'])}'`)
  }
}

const HELLO = ['site', 'gateway', 'epoch'] as const

function frame(text: string, parts: readonly Buffer[]): Buffer {
  const head = Buffer.from(text, 'utf8')
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(head.length, 0)
  return Buffer.concat([length, head, ...parts])
}

function unframe(bytes: Buffer): { head: Record<string, unknown>; body: Buffer } {
  const length = bytes.length >= 4 ? bytes.readUInt32BE(0) : -1
  if (length < 0 || bytes.length < 4 + length) throw invalid('it is cut short')
  try {
    const head: unknown = JSON.parse(bytes.toString('utf8', 4, 4 + length))
    if (typeof head === 'object' && head !== null && !Array.isArray(head))
      return { head: { ...head }, body: bytes.subarray(4 + length) }
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  throw invalid('it is not an object')
}

function cutBlocks(parts: unknown, body: Buffer): BlockPart[] {
  if (!Array.isArray(parts)) throw invalid('it has no list of blocks')
  let at = 0
  const blocks = parts.map((part: unknown): BlockPart => {
    const { lane, bytes } = Object(part) as { lane?: unknown; bytes?: unknown }
    if (!isLane(lane) || typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0)
      throw invalid('a block has no lane, or no length')
    const value = body.subarray(at, at + bytes)
    at += bytes
    return { lane, value }
  })
  if (at !== body.length) throw invalid(`its blocks have ${at} bytes, it has ${body.length}`)
  return blocks
}

function gapsOf(gaps: unknown): { lane: Lane; gap: Gap }[] {
  if (!Array.isArray(gaps)) throw invalid('it has no list of gaps')
  for (const entry of gaps as unknown[]) {
    const { lane, gap } = Object(entry) as { lane?: unknown; gap?: Partial<Gap> }
    if (!isLane(lane) || !Number.isSafeInteger(gap?.from) || !Number.isSafeInteger(gap?.to))
      throw invalid('a gap is none')
  }
  return gaps as { lane: Lane; gap: Gap }[]
}

const isLane = (name: unknown): name is Lane => (LANES as readonly unknown[]).includes(name)

const isByLane = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && LANES.every((lane) => lane in value)

const invalid = (what: string, cause?: unknown): RetryableError =>
  new RetryableError('PEER_MESSAGE_INVALID', `a peer sent what is no message of a gateway: ${what}`, { cause })
