import { type ReadingValue, UsageError } from '../../../sync/contract/index.ts'
import type { Message } from '../red.ts'
import { ORIGIN_LABEL } from '../shared/index.ts'

export interface PublishForm {
  device?: string
  metric?: string
  unit?: string
}

/** A reading to publish: where, and what. */
export interface DerivedReading {
  device: string
  metric: string
  body: Readonly<Record<string, unknown>>
}

/** Fields of a payload that the gateway understands (docs/devices.md). */
const FIELDS = ['unit', 'time', 'quality', 'seq', 'session'] as const

/**
 * The reading that a message holds: `payload` is a value, or an object with `value` and what else there is to say. The form's device
 * and metric count before the message's.
 *
 * @param id names the publish: the gateway stores it once, however often MQTT repeats it
 * @throws UsageError `READING_INVALID`
 */
export function deriveReading(message: Message, form: PublishForm, id: string, now: number): DerivedReading {
  const { payload } = message
  const given = isObject(payload) ? payload : { value: payload }
  const device = form.device?.trim() || text(message['device'] ?? given['device'])
  const metric = form.metric?.trim() || text(message['metric'] ?? given['metric'])
  if (device === '') throw invalid('msg.device', 'the name of a device', message['device'])
  if (metric === '') throw invalid('msg.metric', 'the name of a metric', message['metric'])
  const body: Record<string, unknown> = { value: checkedValue(given['value']), id, time: now }
  if (form.unit?.trim()) body['unit'] = form.unit.trim()
  for (const field of FIELDS) if (given[field] !== undefined) body[field] = given[field]
  body['labels'] = { ...(isObject(given['labels']) ? given['labels'] : {}), ...ORIGIN_LABEL }
  return { device, metric, body }
}

function checkedValue(value: unknown): ReadingValue {
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value
  if (typeof value === 'string' && value !== '') return value
  throw invalid('msg.payload', 'a number, a truth value or a text, or an object with `value`', value)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')

const invalid = (what: string, expected: string, got: unknown): UsageError =>
  new UsageError(
    'READING_INVALID',
    `${what}: expected ${expected}, got ${(JSON.stringify(got) ?? String(got)).slice(0, 80)}`,
  )
