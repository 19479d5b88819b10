import { isUtf8 } from 'node:buffer'
import type { Millis } from '../../../sync/contract/index.ts'
import type { TopicMatch } from '../topics/index.ts'
import type { Message } from './attributes.ts'
import { problem } from './codes.ts'
import { Fields, isObject } from './fields.ts'
import { type DecodeResult, Harvest, refused } from './harvest.ts'
import { parseJson } from './json.ts'
import type { DecodeLimits } from './limits.ts'
import { readArray } from './list.ts'
import { parseNumber } from './number.ts'
import { readObject, readValueObject } from './object.ts'

/**
 * Turns the payload of one publish into readings. Never throws: what is not a reading becomes a problem, and one bad part
 * of a message does not hold up the others. There are always readings, or a problem, or both.
 *
 * Forms: a bare number, `true`, `false` or JSON text; an object with `value`; a flat object of several metrics; an array
 * of such objects; a SenML pack in JSON (RFC 8428). Readings of one object share its `time`, `seq`, `session` and `id`.
 *
 * @param match what the topic says
 * @param payload is not kept
 * @param received when the gateway received it: the measure for absurd timestamps, and "now" of relative ones
 */
export function decodePayload(
  match: TopicMatch,
  payload: Buffer,
  received: Millis,
  limits: DecodeLimits,
): DecodeResult {
  if (match.problem !== null) return refused(match.problem)
  if (payload.length > limits.maxPayload)
    return refused(problem('PAYLOAD_TOO_LARGE', `${payload.length} bytes, more than ${limits.maxPayload}`))
  const message: Message = { match, received, limits }
  const text = readText(payload)
  if (text === null) return refused(problem('PAYLOAD_NOT_UTF8', 'expected UTF-8, got bytes that are not'))
  const number = parseNumber(text)
  if (number !== undefined) return decodeScalar(number, message)
  if (text.trim() === '') return refused(problem('PAYLOAD_EMPTY', 'expected a number or JSON, got nothing'))
  const parsed = parseJson(text, payload)
  if ('problem' in parsed) return refused(parsed.problem)
  const { value } = parsed
  if (!isObject(value) && !Array.isArray(value)) return decodeScalar(value, message)
  const harvest = new Harvest(message.limits.maxReadingsPerMessage)
  if (isObject(value)) readObject(value, message, harvest, '')
  else readArray(value, message, harvest)
  return harvest.result()
}

function decodeScalar(value: unknown, message: Message): DecodeResult {
  const fields = new Fields()
  fields.value = value
  return decodeFields(fields, message)
}

function decodeFields(fields: Fields, message: Message): DecodeResult {
  const reading = readValueObject(fields, message)
  return 'code' in reading ? refused(reading) : { readings: [reading], problem: null }
}

const BYTE_ORDER_MARK = 0xfeff

/** The payload as text without a byte order mark; null if it is not UTF-8. */
function readText(payload: Buffer): string | null {
  const text = payload.toString('utf8')
  // Broken bytes decode to U+FFFD: only a text that holds one needs the second look (it may be there by right).
  if (text.includes('\ufffd') && !isUtf8(payload)) return null
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
}
