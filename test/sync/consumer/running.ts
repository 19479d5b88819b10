import { onTestFinished, vi } from 'vitest'
import {
  type Centre,
  type ConsumedReading,
  type ConsumeOptions,
  consume,
  type Handler,
  type RecordContext,
  type RecordOf,
  type Report,
} from '../../../sync/consumer/index.ts'
import type { Lane } from '../../../sync/contract/index.ts'

/** A consumer that runs beside the test, and what it was given. */
export interface Running<L extends Lane> {
  records: RecordOf[L][]
  contexts: RecordContext[]
  reports: Report[]
  /** Kinds of reports, without those of the link. */
  kinds(): string[]
  /** Ends it in order; rejects if it failed. */
  stop(): Promise<void>
  /** Resolves or rejects when it is over. */
  over: Promise<void>
}

type Options<L extends Lane> = Centre &
  Omit<ConsumeOptions<L>, 'handler' | 'signal' | 'onReport' | keyof Centre> & { handler?: Handler<L> }

/** Starts a consumer; it is stopped at the end of the test at the latest. What its handler returns from is recorded. */
export function start<L extends Lane = 'readings'>({ handler, ...options }: Options<L>): Running<L> {
  const stopping = new AbortController()
  const records: RecordOf[L][] = []
  const contexts: RecordContext[] = []
  const reports: Report[] = []
  const over = consume<L>({
    ...options,
    signal: stopping.signal,
    onReport: (report: Report) => reports.push(report),
    handler: async (record: RecordOf[L], context: RecordContext) => {
      await handler?.(record, context)
      records.push(record)
      contexts.push(context)
    },
  } as unknown as ConsumeOptions<L>)
  // Whoever cares looks at it; nobody else shall be told.
  over.catch(() => undefined)
  onTestFinished(async () => {
    stopping.abort()
    await over.catch(() => undefined)
  })
  return {
    records,
    contexts,
    reports,
    kinds: () => reports.map(({ kind }) => kind).filter((kind) => kind !== 'link'),
    over,
    stop: () => {
      stopping.abort()
      return over
    },
  }
}

export const values = ({ records }: Running<'readings'>): unknown[] =>
  records.map(({ value }: ConsumedReading) => value)

/** Waits until the condition holds. */
export const until = (condition: () => boolean | Promise<boolean>, what = 'the condition', timeout = 15_000) =>
  vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`${what} does not hold`)
    },
    { timeout, interval: 10 },
  )

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
