import type { Lane } from '../../../sync/contract/index.ts'
import { localTime, type Paint, painter, printable, type Style } from '../terminal-text.ts'
import type { Row } from './rows.ts'

interface Column {
  title: string
  /** Width at the beginning; grows up to `max` when something longer comes, and never shrinks: columns stay where they are. */
  width: number
  max: number
  right?: boolean
  cell(row: Row): string
}

const VALUE_STYLE: Record<Lane, Style> = { readings: 'cyan', events: 'red', deadletters: 'magenta' }

/** Rows as lines of text in columns. */
export class Table {
  readonly #paint: Paint
  readonly #columns: Column[] = [
    { title: 'TIME', width: 23, max: 23, cell: ({ time }) => localTime(time) },
    { title: 'DEVICE', width: 14, max: 32, cell: ({ device }) => device },
    { title: 'METRIC', width: 14, max: 32, cell: ({ metric }) => metric },
    { title: 'VALUE', width: 10, max: 28, right: true, cell: ({ value }) => value },
    { title: 'UNIT', width: 6, max: 12, cell: ({ unit }) => unit },
    { title: 'GATEWAY', width: 16, max: 40, cell: ({ gateway }) => gateway },
    { title: 'OFFSET', width: 8, max: 17, right: true, cell: ({ offset }) => offset },
  ]

  constructor(colours: boolean) {
    this.#paint = painter(colours)
  }

  header(): string {
    return this.#paint(
      'bold',
      this.#columns
        .map((column) => pad(column, column.title))
        .join('  ')
        .trimEnd(),
    )
  }

  line(row: Row): string {
    const cells = this.#columns.map((column) => {
      const text = printable(column.cell(row))
      column.width = Math.min(column.max, Math.max(column.width, text.length))
      const cell = pad(column, text.length <= column.max ? text : `${text.slice(0, column.max - 1)}…`)
      if (column.title === 'VALUE') return this.#paint(VALUE_STYLE[row.lane], cell)
      return column.title === 'TIME' || column.title === 'OFFSET' ? this.#paint('dim', cell) : cell
    })
    const note = row.note === '' ? '' : `  ${this.#paint('yellow', printable(row.note))}`
    return `${cells.join('  ')}${note}`.trimEnd()
  }

  /** A line that is no record: something about the stream. */
  mark(text: string): string {
    return this.#paint('yellow', `--- ${printable(text)}`)
  }
}

const pad = ({ width, right }: Column, text: string): string => (right ? text.padStart(width) : text.padEnd(width))
