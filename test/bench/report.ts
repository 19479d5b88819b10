import type { Measurement } from './bench.ts'
import { met, TARGETS, targetText } from './targets.ts'

/** One line of the result, as it is printed. */
export interface Row {
  bench: string
  unit: string
  ours: number
  peer: number | null
  peerName: string | null
  /** Ours divided by the peer's. */
  ratio: number | null
  /** `>= 0.8x` is about the ratio, `<= 150` about ours; null = for information. */
  target: string | null
  met: boolean | null
}

export function rowOf(measurement: Measurement): Row {
  const { bench, unit, ours, peer, peerName } = measurement
  const target = TARGETS[bench]
  const ratio = measurement.ratio === undefined ? divide(ours, peer) : measurement.ratio
  return {
    bench,
    unit,
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    peerName,
    ratio: ratio === null ? null : round(ratio),
    target: targetText(target),
    met: met(target, measurement, ratio),
  }
}

/** Two of nothing (nothing lost, on either side) have no ratio. */
const divide = (ours: number, peer: number | null): number | null => (peer === null || peer === 0 ? null : ours / peer)

/** Three digits are more than a measurement is good for; whole numbers stay whole. */
function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

const HEADINGS = ['bench', 'ours', 'peer', 'unit', 'ratio', 'target', 'met', 'beside'] as const

/** The rows for people. */
export function formatTable(rows: readonly Row[]): string {
  const number = (value: number | null): string => (value === null ? '-' : value.toLocaleString('en-US'))
  const mark = (value: boolean | null): string => (value === null ? '-' : value ? 'yes' : 'NO')
  const cells = rows.map((row) => [
    row.bench,
    number(row.ours),
    number(row.peer),
    row.unit,
    row.ratio === null ? '-' : `${number(row.ratio)}x`,
    row.target ?? '-',
    mark(row.met),
    row.peerName ?? '',
  ])
  const lines = [[...HEADINGS], ...cells]
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const right = (column: number): boolean => [1, 2, 4].includes(column)
  const pad = (cell: string, column: number): string =>
    right(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}
