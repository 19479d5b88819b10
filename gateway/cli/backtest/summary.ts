import type { Millis } from '../../../sync/contract/index.ts'
import { roughDuration } from '../amounts.ts'
import { printable } from '../terminal-text.ts'
import type { RehearsalSummary } from './rehearsal.ts'

/** Rules that are named one by one. */
const MOST_RULES = 20

/** A summary for people. */
export function summaryLines(summary: RehearsalSummary, took: Millis): string[] {
  const { readings, outside, unreadable, faults, gateways, events, byKind, byRule, silent } = summary
  const of = gateways > 1 ? ` of ${gateways} gateways` : ''
  const lines = [`${count(readings, 'reading')}${of}${spanText(summary, took)}`]
  if (outside > 0) lines.push(`${count(outside, 'reading')} outside of --from and --to`)
  for (const fault of faults) lines.push(`not a reading: ${printable(fault)}`)
  if (unreadable > faults.length) lines.push(`not readings: ${unreadable - faults.length} more`)
  lines.push(events === 0 ? 'no events' : `${count(events, 'event')}: ${counts(byKind)}`)
  const rules = Object.entries(byRule)
    .map(([rule, kinds]) => ({ rule, kinds, sum: Object.values(kinds).reduce((sum, one) => sum + one, 0) }))
    .sort((one, other) => other.sum - one.sum)
  for (const { rule, kinds } of rules.slice(0, MOST_RULES)) lines.push(`  ${printable(rule)}: ${counts(kinds)}`)
  if (rules.length > MOST_RULES) lines.push(`  ${rules.length - MOST_RULES} more rules (--json shows all)`)
  if (silent.length > 0)
    lines.push(
      `no events of ${silent.slice(0, MOST_RULES).map(printable).join(', ')}${silent.length > MOST_RULES ? ', ...' : ''}`,
    )
  return lines
}

/** How many times faster than real time; null when nothing can be said. */
export function speed({ first, last }: RehearsalSummary, took: Millis): number | null {
  if (first === null || last === null || last === first || took <= 0) return null
  return (last - first) / took
}

function spanText(summary: RehearsalSummary, took: Millis): string {
  const { first, last } = summary
  if (first === null || last === null) return ''
  const factor = speed(summary, took)
  const fast = factor === null || factor < 2 ? '' : `: ${Math.round(factor)} times faster than real time`
  return `, ${roughDuration(last - first)} in ${(took / 1000).toFixed(1)} s${fast}`
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`

const counts = (kinds: Readonly<Record<string, number>>): string =>
  Object.entries(kinds)
    .map(([kind, number]) => `${number} ${kind}`)
    .join(', ')
