import type { DeadLetter } from './dead-letter.ts'
import { DeadLetterError } from './errors.ts'
import type { Quality, Reading, ReadingValue } from './reading.ts'

/**
 * One record as one line of NDJSON (without the newline, which never occurs inside: JSON escapes it).
 * Lines of readings are put together by hand: this runs once for every reading, and `JSON.stringify` of a fresh
 * object costs several times as much. The result is byte for byte what `JSON.stringify` gives for an object with the
 * keys in the order of the interface.
 */

/** Pieces that the lines of one topic have in common, made once instead of for each reading. */
export interface LineParts {
  readonly device: string
  readonly metric: string | null
  readonly labels: Labels | null
  /** Up to and with the key `metric`. */
  readonly head: string
  /** Up to the key `value`; empty when there is no metric. */
  readonly prefix: string
  readonly labelsText: string
}

/** Makes the pieces for the readings of one device, of one metric if its name is known. */
export function lineParts(device: string, metric: string | null, labels: Labels | null): LineParts {
  const head = `{"device":${quote(device)},"metric":`
  return {
    device,
    metric,
    labels,
    head: flat(head),
    prefix: metric === null ? '' : flat(`${head}${quote(metric)},`),
    labelsText: labels === null ? '' : JSON.stringify(labels),
  }
}

/**
 * The line of one reading.
 *
 * @param parts of the topic that it came from, if the caller has them: what does not fit the reading is not used
 */
export function encodeLine(reading: Reading, parts?: LineParts): string {
  const { value, unit, time, received, seq, session, life, id, quality, labels } = reading
  let line = `${linePrefix(reading, parts)}"value":${scalar(value)}`
  if (unit !== undefined) line += `,"unit":${quote(unit)}`
  if (time !== undefined) line += `,"time":${number(time)}`
  line += `,"received":${number(received)}`
  if (seq !== undefined) line += `,"seq":${number(seq)}`
  if (session !== undefined) line += `,"session":${quote(session)}`
  if (life !== undefined) line += `,"life":${number(life)}`
  if (id !== undefined) line += `,"id":${quote(id)}`
  if (quality !== undefined) line += `,"quality":${quote(quality)}`
  if (labels !== undefined) line += `,"labels":${labels === parts?.labels ? parts.labelsText : JSON.stringify(labels)}`
  return `${line}}`
}

/**
 * The reading that a line stands for. Keys that this version does not know are left out, so that an older reader
 * understands a newer writer.
 *
 * @throws DeadLetterError `LINE_NOT_JSON`, `LINE_INVALID`
 */
export const decodeLine = (text: string): Reading => readingOf(parseObject(text))

/**
 * The same for a line that is parsed already.
 *
 * @throws DeadLetterError `LINE_INVALID`
 */
export function readingOf(from: JsonObject): Reading {
  const reading: Reading = {
    device: name(from, 'device'),
    metric: name(from, 'metric'),
    value: readingValue(from['value']),
    received: finite(from, 'received'),
  }
  if (from['unit'] !== undefined) reading.unit = string(from, 'unit')
  if (from['time'] !== undefined) reading.time = finite(from, 'time')
  if (from['seq'] !== undefined) reading.seq = counter(from, 'seq')
  if (from['session'] !== undefined) reading.session = string(from, 'session')
  if (from['life'] !== undefined) reading.life = counter(from, 'life')
  if (from['id'] !== undefined) reading.id = string(from, 'id')
  if (from['quality'] !== undefined) reading.quality = quality(from['quality'])
  if (from['labels'] !== undefined) reading.labels = labels(from['labels'])
  return reading
}

/** The line of one dead letter. */
export function encodeDeadLetter(letter: DeadLetter): string {
  const { code, reason, topic, client, received, payload } = letter
  return JSON.stringify({ code, reason, topic, client, received, payload })
}

/**
 * The dead letter that a line stands for.
 *
 * @throws DeadLetterError `LINE_NOT_JSON`, `LINE_INVALID`
 */
export function decodeDeadLetter(text: string): DeadLetter {
  const from = parseObject(text)
  const payload = string(from, 'payload')
  if (payload.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(payload)) throw invalid('payload', 'base64', payload)
  return {
    code: name(from, 'code'),
    reason: string(from, 'reason'),
    topic: string(from, 'topic'),
    client: string(from, 'client'),
    received: finite(from, 'received'),
    payload,
  }
}

function linePrefix({ device, metric }: Reading, parts?: LineParts): string {
  if (parts?.device !== device) return `{"device":${quote(device)},"metric":${quote(metric)},`
  return parts.metric === metric ? parts.prefix : `${parts.head}${quote(metric)},`
}

/** The same text in one piece of memory: V8 keeps a concatenation as a tree, and would walk it again for every line. */
function flat(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}

function scalar(value: ReadingValue): string {
  if (typeof value === 'number') return number(value)
  return typeof value === 'string' ? quote(value) : `${value}`
}

/** Fractions of a thousandth each, without the zeros at the end: `''`, `001`, ..., `01`, ..., `999`. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => `${1000 + i}`.slice(1).replace(/0+$/, ''))

/**
 * A number exactly as `JSON.stringify` writes it. Nearly all numbers of sensors are timestamps, counters and decimals of at
 * most three places; put together from small integers they cost a third of the engine's general conversion. (For
 * up to 15 digits the shortest decimal that reads back as the same double is the one that it was read from.)
 */
function number(value: number): string {
  if (value < 0) return value === Number.NEGATIVE_INFINITY ? 'null' : `-${number(-value)}`
  const scaled = Math.round(value * 1000)
  if (scaled < 2 ** 31 && scaled / 1000 === value) {
    const whole = Math.trunc(value)
    const rest = scaled - whole * 1000
    return rest === 0 ? `${whole}` : `${whole}.${THOUSANDTHS[rest]}`
  }
  if (value >= 1e9 && value < 1e15 && Number.isInteger(value)) {
    const millions = Math.floor(value / 1e6)
    return `${millions}${`${value - millions * 1e6 + 1e6}`.slice(1)}`
  }
  // JSON has no NaN and no infinity: like JSON.stringify, a null that decodeLine refuses, instead of a broken line.
  return value - value === 0 ? `${value}` : 'null'
}

/** What `JSON.stringify` escapes, and a little more (DEL, C1). */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/u

/** A JSON string literal, exactly as `JSON.stringify` writes it; looking first is faster. */
function quote(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`
}

type Labels = Readonly<Record<string, string>>
type JsonObject = Readonly<Record<string, unknown>>

function parseObject(text: string): JsonObject {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw new DeadLetterError('LINE_NOT_JSON', `expected one JSON object a line, got ${clip(text)}`, { cause })
  }
  if (isObject(parsed)) return parsed
  throw new DeadLetterError('LINE_INVALID', `expected one JSON object a line, got ${clip(text)}`)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function holdsStrings(value: JsonObject): value is Labels {
  return Object.values(value).every((label) => typeof label === 'string')
}

function string(from: JsonObject, key: string): string {
  const value = from[key]
  if (typeof value === 'string') return value
  throw invalid(key, 'a string', value)
}

function name(from: JsonObject, key: string): string {
  const value = from[key]
  if (typeof value === 'string' && value !== '') return value
  throw invalid(key, 'a string that is not empty', value)
}

function finite(from: JsonObject, key: string): number {
  const value = from[key]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalid(key, 'a finite number', value)
}

function counter(from: JsonObject, key: string): number {
  const value = from[key]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw invalid(key, 'a whole number from 0 to 2^53 - 1', value)
}

function readingValue(value: unknown): ReadingValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalid('value', 'a finite number, true, false or a string', value)
}

function quality(value: unknown): Quality {
  if (value === 'good' || value === 'uncertain' || value === 'bad') return value
  throw invalid('quality', "'good', 'uncertain' or 'bad'", value)
}

function labels(value: unknown): Labels {
  if (isObject(value) && holdsStrings(value)) return value
  throw invalid('labels', 'an object of strings', value)
}

function invalid(key: string, expected: string, value: unknown): DeadLetterError {
  const got = value === undefined ? 'nothing' : clip(JSON.stringify(value))
  return new DeadLetterError('LINE_INVALID', `${key}: expected ${expected}, got ${got}`)
}

function clip(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`
}
