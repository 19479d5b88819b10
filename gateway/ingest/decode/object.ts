import type { Reading } from '../../../sync/contract/index.ts'
import { Attributes, checkAttributes, type Message, makeReading } from './attributes.ts'
import type { DecodeProblem } from './codes.ts'
import { type Fields, isReserved, type JsonObject, readFields } from './fields.ts'
import type { Harvest } from './harvest.ts'
import { metricName, ownMetric, readValue } from './value.ts'

/**
 * The readings of one JSON object.
 *
 * - With `value`: one reading. Keys that are not reserved are ignored: devices like to tell their model or firmware.
 * - Without: each key that is not reserved is a metric. A key with null says "no value" and gives no reading.
 *
 * Of a key that occurs twice in one object the last counts (RFC 8259 §4 leaves it open; this is what `JSON.parse` does).
 *
 * @param where the object's place in the message, empty for the whole
 */
export function readObject(object: JsonObject, message: Message, harvest: Harvest, where: string): void {
  const fields = readFields(object)
  if (fields.value === undefined) readMetrics(object, fields, message, harvest, where)
  else {
    const reading = readValueObject(fields, message)
    if ('code' in reading) harvest.refuse(where, reading)
    else harvest.add(reading)
  }
}

/** The reading of an object with `value`, or what is wrong with it. */
export function readValueObject(fields: Fields, message: Message): Reading | DecodeProblem {
  const metric = fields.metric === undefined ? ownMetric(message.match) : metricName(message.match.scope, fields.metric)
  if (typeof metric === 'object') return metric
  const value = readValue(fields.value)
  if (typeof value === 'object') return value
  const attributes = new Attributes()
  return checkAttributes(fields, message, attributes) ?? makeReading(message, metric, value, attributes)
}

function readMetrics(object: JsonObject, fields: Fields, message: Message, harvest: Harvest, where: string): void {
  const scope = fields.metric === undefined ? message.match.scope : metricName(message.match.scope, fields.metric)
  if (scope !== null && typeof scope === 'object') {
    harvest.refuse(where, scope)
    return
  }
  const attributes = new Attributes()
  const fault = checkAttributes(fields, message, attributes)
  if (fault !== null) {
    harvest.refuse(where, fault)
    return
  }
  for (const key in object) {
    const given = object[key]
    if (given === null || isReserved(key)) continue
    const metric = metricName(scope, key)
    const value = readValue(given)
    if (typeof metric === 'object') harvest.refuse(at(where, key), metric)
    else if (typeof value === 'object') harvest.refuse(at(where, key), value)
    else harvest.add(makeReading(message, metric, value, attributes))
    if (harvest.overflown) return
  }
}

function at(where: string, key: string): string {
  return where === '' ? key : `${where}.${key}`
}
