import type { Lane, Millis } from '../../../sync/contract/index.ts'
import type { Row } from './rows.ts'

interface Column {
  title: string
  /** Width at the beginning; grows up to `max` when something longer comes, and never shrinks: columns stay where they are. */
  width: number
  max: number
  right?: boolean
  cell(row: Row): string
}

/** Select Graphic Rendition codes (ECMA-48 §8.3.117). */
const STYLES = { dim: '2', bold: '1', red: '31', green: '32', yellow: '33', cyan: '36', magenta: '35' } as const
type Style = keyof typeof STYLES

const VALUE_STYLE: Record<Lane, Style> = { readings: 'cyan', events: 'red', deadletters: 'magenta' }

/** Rows as lines of text in columns. */
export class Table {
  readonly #colours: boolean
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
    this.#colours = colours
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

  #paint(style: Style, text: string): string {
    return this.#colours ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text
  }
}

const pad = ({ width, right }: Column, text: string): string => (right ? text.padStart(width) : text.padEnd(width))

/** What devices say must not move the cursor of whoever looks at it: control characters become `\x1b` in letters. */
const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  )

/** `2024-05-01 13:37:00.123` in the time zone of whoever looks at it. */
function localTime(time: Millis): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return String(time)
  const local = new Date(time - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 23).replace('T', ' ')
}
