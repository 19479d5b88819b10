/** The ledger of what simulated devices got acknowledged, and the audit of the central stream against it. */
export { type AlarmAuditOptions, type AlarmVerdict, auditAlarms, type KnownThreshold } from './alarm-audit.ts'
export type { AuditOptions } from './audit.ts'
export {
  type Central,
  type CentralMessage,
  type CentralStreamState,
  type NatsCentralOptions,
  natsCentral,
} from './central.ts'
export { describeIntervals, type Interval, IntervalSet } from './interval-set.ts'
export { type JournalOptions, LedgerJournal } from './journal.ts'
export { type CountedLedger, Ledger, type SpoiledLedger, spoiledKey, type TopicOwner } from './ledger.ts'
export { loadLedger } from './load-ledger.ts'
export type { PositionReport } from './positions.ts'
export type { SeriesKey, SeriesLedger, SeriesName } from './series.ts'
export { formatVerdict, type TableOptions } from './table.ts'
export type { DeviceTally, Tally, Verdict } from './verdict.ts'
export { type VerifyOptions, type VerifyProgress, verify } from './verify.ts'
