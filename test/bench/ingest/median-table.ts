import { median } from '../statistics.ts'
import type { Contender } from './contenders.ts'
import type { Round } from './rounds.ts'
import type { Run } from './run.ts'

const COLUMNS: readonly (readonly [heading: string, of: (run: Run) => number | null, digits: number])[] = [
  ['acks/s', (run) => run.rate, 0],
  ['us CPU', (run) => run.cpu, 1],
  ['MB', (run) => run.resident, 0],
  ['p50 ms', (run) => run.p50, 2],
  ['p99 ms', (run) => run.p99, 2],
  ['p99.9 ms', (run) => run.p999, 2],
]

/** A line for each contender: the medians of its runs, what rows tear apart side by side. */
export function medianTable(contenders: readonly Contender[], rounds: readonly Round[]): string[] {
  const cell = (runs: readonly Run[], [, of, digits]: (typeof COLUMNS)[number]): string => {
    const values = runs.flatMap((run) => of(run) ?? [])
    if (values.length === 0) return '-'
    const rounding = { minimumFractionDigits: digits, maximumFractionDigits: digits }
    return median(values).toLocaleString('en-US', rounding)
  }
  const line = (cells: readonly string[], name: string): string =>
    `${cells.map((text) => text.padStart(10)).join('')}  ${name}`
  return [
    line(
      COLUMNS.map(([heading]) => heading),
      `medians of ${rounds.length} rounds`,
    ),
    ...contenders.map(({ id, name }) => {
      const runs = rounds.flatMap((round) => round.get(id) ?? [])
      return line(
        COLUMNS.map((column) => cell(runs, column)),
        name,
      )
    }),
  ]
}
