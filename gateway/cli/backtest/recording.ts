import { DeadLetterError, type Reading, readingOf } from '../../../sync/contract/index.ts'

/** A part of a recording: lines of NDJSON in the order in which gateways took them in. */
export interface RecordedBatch {
  /** The gateway that took them in; null when the lines say it themselves, or nobody does. */
  source: string | null
  lines: readonly string[]
  /** What is in this place of the recording and cannot be read, in words. */
  faults: readonly string[]
}

export type Recording = AsyncIterable<RecordedBatch>

/** A reading of a recording, and which gateway took it in, if that is known. */
export interface Recorded {
  reading: Reading
  source: string | null
}

/** A gateway as the CloudEvents `source` of what it decides. */
export const sourceOf = (site: string, gateway: string): string => `/sites/${site}/gateways/${gateway}`

/**
 * A reading from its line: as it is in the central stream, as `tidegate tail --json` prints it, or made by hand, where a `time` is
 * enough.
 *
 * @throws DeadLetterError `LINE_NOT_JSON`, `LINE_INVALID`
 */
export function recordedReading(line: string): Recorded {
  let from: unknown
  try {
    from = JSON.parse(line)
  } catch (cause) {
    throw new DeadLetterError('LINE_NOT_JSON', 'expected one JSON object a line', { cause })
  }
  if (!isObject(from)) throw new DeadLetterError('LINE_INVALID', 'expected one JSON object a line')
  const { site, gateway, received, time, timeSource } = from
  const reading = readingOf(received === undefined ? { ...from, received: time } : from)
  // Whoever consumed it filled in the gateway's time where the device gave none.
  if (timeSource === 'gateway') delete reading.time
  return { reading, source: typeof site === 'string' && typeof gateway === 'string' ? sourceOf(site, gateway) : null }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
