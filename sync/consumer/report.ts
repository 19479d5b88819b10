import { describeError, type Millis, type Offset, type StreamSequence } from '../contract/index.ts'
import type { Finding } from './position-check.ts'
import type { RecordPosition } from './records.ts'

/** A finding, and the message that it was found in. */
export type PositionReport = Finding & {
  origin: string
  subject: string
  sequence: StreamSequence
  /** Whether JetStream handed the message out before: then a repeat is nothing special. */
  redelivered: boolean
}

/** What a consumer tells whoever runs it. `describeReport` says it in words. */
export type Report =
  | PositionReport
  /** A gateway numbers its records anew (new or restored store): offsets of the two origins cannot be compared. */
  | { kind: 'epoch'; subject: string; sequence: StreamSequence; before: string; origin: string; from: Offset }
  /** The handler failed and is asked again after `delay`. */
  | { kind: 'retry'; position: RecordPosition; attempt: number; delay: Millis; error: unknown }
  /** A record, or (position null) a whole message, was given up and put aside. */
  | {
      kind: 'deadletter'
      position: RecordPosition | null
      subject: string
      sequence: StreamSequence
      code: string
      reason: string
    }
  /** Something that the consumer does itself failed, and is tried again. */
  | { kind: 'trouble'; what: string; error: unknown }
  | { kind: 'link'; state: 'up' | 'down' }

/** One line for a log. */
export function describeReport(report: Report): string {
  switch (report.kind) {
    case 'gap':
      return `${report.origin}: ${range(report)} missing, not declared by the gateway (message ${report.sequence})`
    case 'declared':
      return report.reason === 'repeated'
        ? `${report.origin}: ${range(report)} left out, its readings are those of another gateway (message ${report.sequence})`
        : `${report.origin}: ${range(report)} missing, declared as ${report.reason} (message ${report.sequence})`
    case 'repeat':
      return `${report.origin}: ${range(report)} came again, skipped (message ${report.sequence})`
    case 'resume':
      return `${report.origin}: goes on behind ${report.to} (message ${report.sequence})`
    case 'regress':
      return `${report.origin}: ${REGRESS[report.why]} (${range(report)}, message ${report.sequence})`
    case 'epoch':
      return `${report.origin}: new numbering, begins at ${report.from}; before it ${report.before}`
    case 'retry':
      return `${where(report.position)}: attempt ${report.attempt} failed, next in ${Math.round(report.delay)} ms: ${describeError(report.error)}`
    case 'deadletter': {
      const what = report.position ? where(report.position) : `message ${report.sequence} on ${report.subject}`
      return `${what}: put aside as dead letter, ${report.code}: ${report.reason}`
    }
    case 'trouble':
      return `${report.what}: ${describeError(report.error)}`
    case 'link':
      return `the connection is ${report.state}`
  }
}

const REGRESS = {
  overlap: 'goes back behind what was done; the known part is skipped',
  term: 'a writer that had been fenced off wrote',
  lineage: 'other records stand under offsets that were done before; skipped',
}

const range = ({ from, to }: { from: Offset; to: Offset }): string => (from === to ? `${from}` : `${from}-${to}`)
const where = ({ origin, offset }: RecordPosition): string => `${origin} ${offset}`
