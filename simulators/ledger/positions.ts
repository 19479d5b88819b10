import type { Offset, StreamSequence } from '../../sync/contract/index.ts'
import type { Pack } from './pack.ts'

/** Reasons of declared gaps whose records are in the stream after all, by another way. */
const STORED_ELSEWHERE = new Set(['skipped', 'repeated'])

/** What the offsets of all origins of one stream say about its soundness. */
export interface PositionReport {
  /** Origins seen (gateway and epoch). */
  origins: number
  /** Offsets that more than one pack covers. */
  overlapping: number
  /** Offsets between two packs that nobody declared. */
  undeclared: number
  /** Messages that are no sound pack: bad headers, wrong count, unreadable lines. */
  malformed: number
  /** Offsets declared missing, by reason (`evicted`, `damaged`, `skipped`, `repeated`). */
  declared: Record<string, number>
  /** Offsets before the first pack of an origin that the stream still holds. */
  before: number
}

export const isSound = (report: PositionReport): boolean =>
  report.overlapping === 0 && report.undeclared === 0 && report.malformed === 0

/** Declared gaps that explain why an acknowledged record is not there. */
export function declaredGone(report: PositionReport): number {
  let gone = 0
  for (const [reason, count] of Object.entries(report.declared)) if (!STORED_ELSEWHERE.has(reason)) gone += count
  return gone
}

/**
 * Checks that the packs of every origin follow each other: contiguous, without overlap, without a hole that is not
 * declared (promise I4).
 */
export class PositionCheck {
  readonly #next = new Map<string, Offset>()
  readonly #report: PositionReport = {
    origins: 0,
    overlapping: 0,
    undeclared: 0,
    malformed: 0,
    declared: {},
    before: 0,
  }
  readonly #finding: (text: string) => void

  constructor(finding: (text: string) => void) {
    this.#finding = finding
  }

  get report(): PositionReport {
    return this.#report
  }

  check(pack: Pack, sequence: StreamSequence): void {
    const report = this.#report
    if (pack.problems.length > 0) {
      report.malformed++
      this.#finding(`message ${sequence} of ${pack.origin}: ${pack.problems.join('; ')}`)
    }
    for (const gap of pack.gaps) {
      report.declared[gap.reason] = (report.declared[gap.reason] ?? 0) + gap.to - gap.from + 1
    }
    if (!Number.isSafeInteger(pack.from) || !Number.isSafeInteger(pack.to)) return
    const next = this.#next.get(pack.origin)
    if (next === undefined) {
      report.origins++
      report.before += pack.from
    } else if (pack.from > next) {
      report.undeclared += pack.from - next
      this.#finding(
        `message ${sequence} of ${pack.origin}: begins at ${pack.from}, so ${next}-${pack.from - 1} is missing`,
      )
    } else if (pack.from < next) {
      report.overlapping += Math.min(pack.to + 1, next) - pack.from
      this.#finding(
        `message ${sequence} of ${pack.origin}: begins at ${pack.from}, but everything before ${next} was there`,
      )
    }
    this.#next.set(pack.origin, Math.max(next ?? 0, pack.to + 1))
  }
}
