import type { Millis, Quality, Reading, ReadingValue } from '../../../sync/contract/index.ts'
import { MAX_LABELS, MAX_NAME, MAX_UNIT, nameFault, type TopicMatch, textFault } from '../topics/index.ts'
import { type DecodeProblem, problem, show } from './codes.ts'
import { type Fields, isObject } from './fields.ts'
import { type DecodeLimits, MAX_ID } from './limits.ts'
import { checkTime, readTime, timeProblem } from './time.ts'

/** What every part of a decoder needs to know about the message. */
export interface Message {
  readonly match: TopicMatch
  readonly received: Millis
  readonly limits: DecodeLimits
}

type Labels = Readonly<Record<string, string>>

/** What is known about a reading besides its name and value; checked. Shared by all values of one object. */
export class Attributes {
  unit: string | undefined = undefined
  time: Millis | undefined = undefined
  seq: number | undefined = undefined
  session: string | undefined = undefined
  id: string | undefined = undefined
  quality: Quality | undefined = undefined
  labels: Labels | undefined = undefined
}

/**
 * Checks the reserved keys and fills in what topic and template know.
 *
 * @returns the first thing that is wrong, or null
 */
export function checkAttributes(fields: Fields, message: Message, into: Attributes): DecodeProblem | null {
  const { match, received, limits } = message
  const { device, unit, time, seq, session, id, quality, labels } = fields
  if (device !== undefined && device !== match.device)
    return problem('DEVICE_MISMATCH', `device: the topic says '${match.device}', the payload says ${show(device)}`)
  if (unit !== undefined) {
    const checked = readUnit(unit)
    if (typeof checked === 'object') return checked
    into.unit = checked
  } else if (match.unit !== null) into.unit = match.unit
  if (time !== undefined) {
    const at = readTime(time)
    if (Number.isNaN(at)) return timeProblem(time)
    const fault = checkTime(at, received, limits)
    if (fault !== null) return fault
    into.time = at
  }
  if (seq !== undefined) {
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0)
      return problem('SEQ_INVALID', `seq: expected a whole number from 0 to 2^53 - 1, got ${show(seq)}`)
    into.seq = seq + 0 // 0 for -0, which JSON cannot say
  }
  if (session !== undefined) {
    const name = readId(session)
    if (name === null) return problem('SESSION_INVALID', `session: ${idExpected(session)}`)
    into.session = name
  }
  if (id !== undefined) {
    const name = readId(id)
    if (name === null) return problem('ID_INVALID', `id: ${idExpected(id)}`)
    into.id = name
  }
  if (quality !== undefined) {
    if (quality !== 'good' && quality !== 'uncertain' && quality !== 'bad')
      return problem('QUALITY_INVALID', `quality: expected 'good', 'uncertain' or 'bad', got ${show(quality)}`)
    into.quality = quality
  }
  if (labels === undefined) {
    if (match.labels !== null) into.labels = match.labels
    return null
  }
  return checkLabels(labels, match.labels, into)
}

/** The reading of one value, as `readValue` gives it. */
export function makeReading(
  message: Message,
  metric: string,
  value: ReadingValue,
  { unit, time, seq, session, id, quality, labels }: Attributes,
): Reading {
  const reading: Reading = { device: message.match.device, metric, value, received: message.received }
  if (unit !== undefined) reading.unit = unit
  if (time !== undefined) reading.time = time
  if (seq !== undefined) reading.seq = seq
  if (session !== undefined) reading.session = session
  if (id !== undefined) reading.id = id
  if (quality !== undefined) reading.quality = quality
  if (labels !== undefined) reading.labels = labels
  return reading
}

function readUnit(unit: unknown): string | DecodeProblem {
  const fault = typeof unit === 'string' ? textFault(unit, MAX_UNIT) : 'is not a text'
  return typeof unit === 'string' && fault === null ? unit : problem('UNIT_INVALID', `unit: ${show(unit)} ${fault}`)
}

/** A number beyond 2^53 is refused, not rounded: two different ids could become one, and a reading taken for a repeat. */
function readId(id: unknown): string | null {
  if (typeof id === 'number') return Number.isSafeInteger(id) ? `${id}` : null
  return typeof id === 'string' && textFault(id, MAX_ID) === null ? id : null
}

function idExpected(id: unknown): string {
  return `expected a text of 1 to ${MAX_ID} characters or a whole number within 2^53 - 1, got ${show(id)}`
}

/** The topic's labels win: what a topic says can be guarded by access rules, what a payload says cannot. */
function checkLabels(labels: unknown, fromTopic: Labels | null, into: Attributes): DecodeProblem | null {
  if (!isObject(labels)) return problem('LABELS_INVALID', `labels: expected an object of texts, got ${show(labels)}`)
  let count = 0
  for (const key in labels) {
    const value = labels[key]
    const fault = nameFault(key) ?? (typeof value === 'string' ? textFault(value, MAX_NAME) : 'is not a text')
    if (fault !== null) return problem('LABELS_INVALID', `labels: ${show(key)} with ${show(value)}: ${fault}`)
    if (fromTopic === null || !Object.hasOwn(fromTopic, key)) count++
  }
  if (fromTopic !== null) count += Object.keys(fromTopic).length
  if (count > MAX_LABELS) return problem('LABELS_INVALID', `labels: ${count} with the topic's, more than ${MAX_LABELS}`)
  const checked = labels as Labels
  if (count > 0) into.labels = fromTopic === null ? checked : { ...checked, ...fromTopic }
  return null
}
