import { z } from 'zod'
import { DeadLetterError, decodeLine, encodeLine } from '../../sync/contract/index.ts'
import { knownAlarmSchema } from '../rules/index.ts'
import type { KnownSeries } from '../state/index.ts'

/** Series in a message: some 100 KiB. */
const SERIES = 200

const toldSeries = z.array(z.object({ line: z.string(), home: z.string(), alarms: z.array(knownAlarmSchema) }))

/** A part of what a gateway tells one that begins with nothing, as it goes over the wire. */
export interface Briefing {
  series: z.infer<typeof toldSeries>
  /** There is no more. */
  last: boolean
}

/** All that is known, message by message; the last one may be empty. */
export function* briefings(known: Iterable<KnownSeries>): Iterable<Briefing> {
  let series: Briefing['series'] = []
  for (const { last, home, alarms } of known) {
    if (series.length === SERIES) {
      yield { series, last: false }
      series = []
    }
    series.push({ line: encodeLine(last), home, alarms: [...alarms] })
  }
  yield { series, last: true }
}

/** @returns null when it is none */
export function readBriefing({ series, last }: Record<string, unknown>): Briefing | null {
  const parsed = toldSeries.safeParse(series)
  return parsed.success && typeof last === 'boolean' ? { series: parsed.data, last } : null
}

/** What it says, but for what a newer version may say of a reading. */
export function* seriesOf({ series }: Briefing): Iterable<KnownSeries> {
  for (const { line, home, alarms } of series)
    try {
      yield { last: decodeLine(line), home, alarms }
    } catch (error) {
      if (!(error instanceof DeadLetterError)) throw error
    }
}
