import type { PositionReport } from './positions.ts'
import type { DeviceTally, Tally, Verdict } from './verdict.ts'

const COLUMNS = [
  'attempted',
  'acknowledged',
  'stored',
  'deadLettered',
  'lost',
  'evicted',
  'doubled',
  'reordered',
  'invented',
] as const satisfies readonly (keyof Tally)[]

const TITLES: Record<(typeof COLUMNS)[number], string> = {
  attempted: 'sent',
  acknowledged: 'acked',
  stored: 'stored',
  deadLettered: 'dead letters',
  lost: 'LOST',
  evicted: 'evicted',
  doubled: 'DOUBLED',
  reordered: 'REORDERED',
  invented: 'INVENTED',
}

export interface TableOptions {
  /** Devices shown; those with something wrong come first. 20 by default. */
  devices?: number
}

/** The verdict for people: one row a device, the total, and what else there is to say. */
export function formatVerdict(verdict: Verdict, options: TableOptions = {}): string {
  const most = options.devices ?? 20
  const shown = [...verdict.devices].sort((a, b) => faults(b) - faults(a)).slice(0, most)
  const rows = [
    ['device', ...COLUMNS.map((column) => TITLES[column])],
    ...shown.map((device) => [device.device, ...COLUMNS.map((column) => grouped(device[column]))]),
  ]
  if (verdict.devices.length > shown.length) {
    rows.push([`... ${verdict.devices.length - shown.length} more`, ...COLUMNS.map(() => '')])
  }
  rows.push(['total', ...COLUMNS.map((column) => grouped(verdict.total[column]))])
  const lines = [...align(rows), '', ...remarks(verdict)]
  if (verdict.findings.length > 0) lines.push('findings:', ...verdict.findings.map((finding) => `  ${finding}`))
  lines.push(verdict.ok ? 'ok: nothing lost, doubled, reordered or invented' : 'NOT OK')
  return lines.join('\n')
}

const faults = (device: DeviceTally): number => device.lost + device.doubled + device.reordered + device.invented

function remarks(verdict: Verdict): string[] {
  const lines = [
    `offsets of readings:     ${describePositions(verdict.positions.readings)}`,
    `offsets of dead letters: ${describePositions(verdict.positions.deadLetters)}`,
  ]
  if (verdict.foreign > 0)
    lines.push(`${grouped(verdict.foreign)} records of devices or runs that are not in the ledger`)
  if (verdict.repeatedDeadLetters > 0)
    lines.push(`${grouped(verdict.repeatedDeadLetters)} dead letters more than attempts`)
  if (verdict.ledgerTruncated) {
    lines.push(
      `the ledger was cut short with its writer: ${grouped(verdict.unrecorded)} records beyond its end could not be checked`,
    )
  }
  return lines
}

function describePositions(report: PositionReport): string {
  const parts = [`${report.origins} origins`]
  for (const [reason, count] of Object.entries(report.declared)) parts.push(`${grouped(count)} declared ${reason}`)
  if (report.repeated > 0) parts.push(`${grouped(report.repeated)} repeated by two gateways`)
  if (report.before > 0) parts.push(`${grouped(report.before)} before the first that is stored`)
  if (report.overlapping > 0) parts.push(`${grouped(report.overlapping)} OVERLAPPING`)
  if (report.undeclared > 0) parts.push(`${grouped(report.undeclared)} MISSING WITHOUT DECLARATION`)
  if (report.malformed > 0) parts.push(`${grouped(report.malformed)} MALFORMED MESSAGES`)
  return parts.join(', ')
}

function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** First column to the left, numbers to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
