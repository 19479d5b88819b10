import type { Offset, StreamSequence } from '../contract/index.ts'
import type { StreamFacts } from '../link/index.ts'
import type { Cursor } from './source.ts'
import { FIRST_TERM } from './standing.ts'

/** The newest message of our own origin on the chain, or a fence that repeats where it was. */
export interface OwnHead {
  sequence: StreamSequence
  /** Last offset it covers. */
  to: Offset
  term: number
  /** Running checksum it declares; null when it declares none. */
  lineage: number | null
}

/** Everything that decides where forwarding goes on. */
export interface Findings {
  cursor: Cursor
  /** One past the newest durable record here. */
  localEnd: Offset
  /** Whether what is here is a copy of another gateway's lane, which may end earlier than the lane itself. */
  replica: boolean
  /** Our term. */
  term: number
  /** Sequence of the newest message on the subject, whoever wrote it; 0 = none. */
  chainEnd: StreamSequence
  own: OwnHead | null
  /** Whether the message that the cursor names is still there, or a newer one of ours. */
  anchored: boolean
  /** Our own running checksum at `own.to + 1`; null when it can no longer be told. */
  lineageHere: number | null
  /** Oldest offset that can be read here. */
  localTail: Offset
  facts: Omit<StreamFacts, 'at'>
}

/** Where to go on, or why not. */
export type Position =
  | { kind: 'continue'; next: Offset; expected: StreamSequence }
  /** The centre has less than it acknowledged: send again from `next`. */
  | { kind: 'rewind'; next: Offset; expected: StreamSequence; why: 'behind' | 'recreated' | 'truncated' }
  /** Somebody with a higher term forwards this origin. */
  | { kind: 'fenced'; term: number }
  /** The centre has another history under our epoch: this outbox is an old copy of itself (or the copy of another one). */
  | { kind: 'forked' }

/**
 * Decides from what was read on the chain where forwarding goes on. Pure; the compare-and-set on `expected` makes sure that
 * a finding that has become old meanwhile does no harm.
 */
export function decidePosition(findings: Findings): Position {
  const { cursor, own, facts, chainEnd: expected } = findings
  const term = own?.term ?? FIRST_TERM
  if (term > findings.term) return { kind: 'fenced', term }
  if (own) {
    const next = own.to + 1
    const { lineageHere } = findings
    if (next > findings.localEnd && !findings.replica) return { kind: 'forked' }
    if (own.lineage !== null && lineageHere !== null && own.lineage !== lineageHere) return { kind: 'forked' }
    return next < cursor.next ? { kind: 'rewind', next, expected, why: 'behind' } : { kind: 'continue', next, expected }
  }
  // Nothing of ours is there. Either it never was, or retention removed it, or the centre forgot it.
  const why = forgotten(facts, cursor) ?? (vanished(findings) ? 'truncated' : null)
  if (why === null) return { kind: 'continue', next: cursor.next, expected }
  return { kind: 'rewind', next: Math.min(cursor.next, findings.localTail), expected, why }
}

/** Whether the stream is younger, or shorter, than what it acknowledged to us; null when it is neither. */
export function forgotten(facts: Omit<StreamFacts, 'at'>, cursor: Cursor): 'recreated' | 'truncated' | null {
  if (cursor.streamCreated === null) return null
  if (facts.created !== cursor.streamCreated) return 'recreated'
  return facts.lastSequence < cursor.sequence ? 'truncated' : null
}

/**
 * Whether our newest message is gone although retention, which takes the oldest first, has not come that far: the centre
 * forgot it, and others have made the stream as long as it was since.
 */
function vanished({ anchored, cursor, facts }: Findings): boolean {
  return !anchored && cursor.sequence > 0 && facts.firstSequence <= cursor.sequence
}
