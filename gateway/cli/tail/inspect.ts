import {
  type Batch,
  checkPosition,
  decodeBatch,
  describeReport,
  type Position,
  type StoredMessage,
} from '../../../sync/consumer/index.ts'
import { DeadLetterError, type Lane } from '../../../sync/contract/index.ts'
import type { Printer } from './printer.ts'
import { type Row, rowOf } from './rows.ts'

/**
 * Takes messages apart for somebody who looks on: records become rows; holes, repeats, a new numbering, and whatever is not of
 * a gateway become marks.
 */
export class Inspector {
  readonly #printer: Printer
  readonly #wanted: (row: Row) => boolean
  readonly #positions = new Map<string, Position>()
  readonly #origins = new Map<string, string>()

  /** @param wanted which rows to show; marks are always shown */
  constructor(printer: Printer, wanted: (row: Row) => boolean) {
    this.#printer = printer
    this.#wanted = wanted
  }

  /** @param more asked before each row: whether it may still be shown */
  async show(lane: Lane, message: StoredMessage, more: () => boolean): Promise<void> {
    const { subject, sequence } = message
    let batch: Batch | null
    try {
      batch = await decodeBatch(lane, message)
    } catch (error) {
      if (!(error instanceof DeadLetterError)) throw error
      this.#printer.mark('foreign', `message ${sequence} on ${subject}: ${error.code}: ${error.message}`)
      return
    }
    if (batch === null) return
    const after = this.#check(batch, message)
    for (let i = 0; i < batch.lines.length && more(); i++) {
      if ((batch.offsets[i] ?? 0) <= after) continue
      try {
        const row = rowOf(lane, batch, i, sequence)
        if (this.#wanted(row)) this.#printer.row(row)
      } catch (error) {
        if (!(error instanceof DeadLetterError)) throw error
        this.#printer.mark('unreadable', `${batch.origin} ${batch.offsets[i]}: ${error.code}: ${error.message}`)
      }
    }
  }

  #check(batch: Batch, { subject, sequence }: StoredMessage): number {
    const { origin, from } = batch
    const before = this.#origins.get(subject)
    if (before !== undefined && before !== origin && !this.#positions.has(origin))
      this.#mark({ kind: 'epoch', subject, sequence, before, origin, from })
    this.#origins.set(subject, origin)
    const { findings, next, after } = checkPosition(this.#positions.get(origin) ?? null, batch, false)
    for (const finding of findings) this.#mark({ ...finding, origin, subject, sequence, redelivered: false })
    this.#positions.set(origin, next)
    return after
  }

  #mark(report: Parameters<typeof describeReport>[0]): void {
    this.#printer.mark(report.kind, describeReport(report))
  }
}
