import type { Output } from '../command.ts'
import type { Row } from './rows.ts'
import { Table } from './table.ts'

/** Where rows and marks go: a table for people, JSON for programs. */
export interface Printer {
  row(row: Row): void
  /** Something about the stream that is no record. */
  mark(kind: string, text: string): void
}

export function tablePrinter(stdout: Output, colours: boolean): Printer {
  const table = new Table(colours)
  let begun = false
  const write = (line: string): void => {
    if (!begun) stdout.write(`${table.header()}\n`)
    begun = true
    stdout.write(`${line}\n`)
  }
  return {
    row: (row) => write(table.line(row)),
    mark: (_, text) => write(table.mark(text)),
  }
}

/** One record a line on standard output; marks go to standard error, so that a program reads records only. */
export const jsonPrinter = (stdout: Output, stderr: Output): Printer => ({
  row: ({ full }) => stdout.write(`${JSON.stringify(full)}\n`),
  mark: (kind, text) => stderr.write(`${JSON.stringify({ mark: kind, text })}\n`),
})
