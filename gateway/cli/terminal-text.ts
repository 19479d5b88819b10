import type { Millis } from '../../sync/contract/index.ts'

/** Select Graphic Rendition codes (ECMA-48 §8.3.117). */
const STYLES = {
  dim: '2',
  bold: '1',
  red: '31',
  green: '32',
  yellow: '33',
  cyan: '36',
  magenta: '35',
  alarm: '1;31',
} as const
export type Style = keyof typeof STYLES

/** Puts a text into a style, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string

export const painter = (colours: boolean): Paint =>
  colours ? (style, text) => `\x1b[${STYLES[style]}m${text}\x1b[0m` : (_, text) => text

/** What devices say must not move the cursor of whoever looks at it: control characters become `\x1b` in letters. */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  )

/** `2024-05-01 13:37:00.123` in the time zone of whoever looks at it. */
export function localTime(time: Millis): string {
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) return String(time)
  const local = new Date(time - date.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 23).replace('T', ' ')
}

/** A cell of a table; its style does not count for its width. */
export interface Cell {
  text: string
  style?: Style
}

/** Rows as lines in columns that are as wide as what stands in them; the last column is not filled up. */
export function tableLines(titles: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const clean = rows.map((row) => row.map(({ text, style }) => ({ text: printable(text), style })))
  const widths = titles.map((title, i) =>
    clean.reduce((width, row) => Math.max(width, row[i]?.text.length ?? 0), title.length),
  )
  const line = (cells: readonly { text: string; style: Style | undefined }[]): string =>
    cells
      .map(({ text, style }, i) => {
        const filled = i === titles.length - 1 ? text : text.padEnd(widths[i] ?? 0)
        return style === undefined ? filled : paint(style, filled)
      })
      .join('  ')
      .trimEnd()
  return [line(titles.map((text) => ({ text, style: 'bold' as const }))), ...clean.map(line)]
}
