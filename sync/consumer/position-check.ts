import type { Offset } from '../contract/index.ts'
import type { GapReason } from '../forward/index.ts'
import type { Batch } from './batch.ts'

/** What is known of one origin. */
export interface Position {
  /** Everything up to here (inclusive) is done; -1 = nothing. */
  last: Offset
  /** Highest fencing term seen. */
  term: number
  /** Running checksum that the newest batch declared; null when it declared none. */
  lineage: { at: Offset; value: number } | null
  /** It comes from a position store, and nothing of the origin was seen since. */
  restored: boolean
}

/** What a batch says about the soundness of its origin (promise I4: no repeat, no hole that is not declared). */
export type Finding =
  /** Offsets are missing and nobody declared them. */
  | { kind: 'gap'; from: Offset; to: Offset }
  /** Offsets are missing because the gateway says so. */
  | { kind: 'declared'; from: Offset; to: Offset; reason: GapReason }
  /** Everything in it was done before: it is skipped. */
  | { kind: 'repeat'; from: Offset; to: Offset }
  /** Work goes on in the middle of it, after an interruption; `from..to` was done before. */
  | { kind: 'resume'; from: Offset; to: Offset }
  /**
   * It goes back. `overlap`: it begins before the position and goes beyond; the known part, `from..to`, is skipped. `term`:
   * its writer had been fenced off. `lineage`: other records stand under offsets that were done before.
   */
  | { kind: 'regress'; why: 'overlap' | 'term' | 'lineage'; from: Offset; to: Offset }

export interface Verdict {
  /** Records with a larger offset are new. */
  after: Offset
  findings: Finding[]
  /** The position once the batch is done. */
  next: Position
}

/**
 * What is new in a batch. Pure.
 *
 * @param known null when the origin was never seen: then the batch may begin anywhere
 * @param redelivered whether JetStream handed out its message before
 */
export function checkPosition(known: Position | null, batch: Batch, redelivered: boolean): Verdict {
  const { from, to, term } = batch
  const lineage = batch.lineage === null ? null : { at: to, value: batch.lineage }
  if (known === null)
    return {
      after: from - 1,
      findings: declared(batch, from - 1),
      next: { last: to, term, lineage, restored: false },
    }
  const { last } = known
  const findings: Finding[] = []
  // An old message that comes again has the term of its time.
  if (term < known.term && to > last) findings.push({ kind: 'regress', why: 'term', from, to })
  if (from > last + 1) findings.push({ kind: 'gap', from: last + 1, to: from - 1 })
  const forked =
    known.lineage !== null && lineage !== null && known.lineage.at === to && known.lineage.value !== lineage.value
  if (forked) findings.push({ kind: 'regress', why: 'lineage', from, to })
  else if (to <= last) findings.push({ kind: 'repeat', from, to })
  else if (from <= last) {
    const done = { from, to: last }
    findings.push(
      known.restored || redelivered ? { kind: 'resume', ...done } : { kind: 'regress', why: 'overlap', ...done },
    )
  }
  findings.push(...declared(batch, last))
  return {
    after: last,
    findings,
    next: {
      last: Math.max(last, to),
      term: Math.max(term, known.term),
      lineage: to > last ? lineage : known.lineage,
      restored: false,
    },
  }
}

/** The declared holes that were not known before. */
function declared({ gaps }: Batch, after: Offset): Finding[] {
  return gaps
    .filter((gap) => gap.to > after)
    .map((gap) => ({ kind: 'declared', from: Math.max(gap.from, after + 1), to: gap.to, reason: gap.reason }))
}
