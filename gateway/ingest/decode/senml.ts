import type { Millis, ReadingValue } from '../../../sync/contract/index.ts'
import { Attributes, checkAttributes, type Message, makeReading } from './attributes.ts'
import { type DecodeProblem, problem, show } from './codes.ts'
import { Fields, isObject, type JsonObject, readFields } from './fields.ts'
import type { Harvest } from './harvest.ts'
import { applyBase, Base, checkPack, isBaseOnly, VALUE_LABELS } from './senml-pack.ts'
import { checkTime, fromSeconds, timeProblem } from './time.ts'
import { metricName, ownMetric, readValue } from './value.ts'

/** RFC 8428 §4.5.3: times below 2^28 seconds are relative to now. */
const ABSOLUTE_FROM = 2 ** 28

/** What may stand in a name, and is no letter or digit (RFC 8428 §4.5.1). */
const SEPARATOR = /^[-:./_]/

/** RFC 4648 §5; RFC 8428 §4.3 leaves the padding out, not every device does. */
const BASE64URL = /^[A-Za-z0-9_-]*={0,2}$/

/**
 * The readings of a SenML pack in JSON (RFC 8428 §5), resolved as §4.6 says. What the RFC leaves to the application:
 *
 * - *Name*: what is left of the resolved name without the device's own in front is the metric; if nothing is left, the
 *   topic's metric. The characters of names are not checked against §4.5.1: a metric may be any name.
 * - *Now* is the time of receipt. A time of exactly zero says that the sensor does not know it: no `time` then. A relative
 *   time differs each time the pack is sent, so a repeat can only be told by `seq` or `id`.
 * - *Data values* (`vd`) are text values as they came, in base64url: only the consumer knows what is in them.
 * - *Sums* (`s`, `bs`) are readings of their own, with metric `<metric>.sum` and unit `<unit>*s`; a record with value and sum
 *   gives two readings, one with only a sum gives one.
 * - *Update time* (`ut`) and unknown fields are ignored; unknown fields that end in `_` refuse the pack (§4.4).
 * - `seq`, `session` (`boot`), `id` and `quality` are understood in records, as extension fields (§4.4).
 */
export function readSenml(pack: readonly unknown[], message: Message, harvest: Harvest): void {
  const unusable = checkPack(pack)
  if (unusable !== null) {
    harvest.refuse('', unusable)
    return
  }
  const base = new Base()
  for (let i = 0; i < pack.length && !harvest.overflown; i++) {
    const record = pack[i]
    if (!isObject(record)) {
      harvest.refuse(`[${i}]`, problem('READING_NOT_OBJECT', `expected a SenML record, got ${show(record)}`))
      continue
    }
    const broken = applyBase(base, record)
    if (broken !== null) {
      harvest.refuse(`[${i}] and all after it`, broken)
      return
    }
    if (isBaseOnly(record)) continue
    const refusal = readRecord(record, base, message, harvest)
    if (refusal !== null) harvest.refuse(`[${i}]`, refusal)
  }
}

function readRecord(record: JsonObject, base: Base, message: Message, harvest: Harvest): DecodeProblem | null {
  const metric = readMetric(record['n'], base, message)
  if (typeof metric === 'object') return metric
  const attributes = new Attributes()
  const fault =
    checkAttributes(recordFields(record, base), message, attributes) ??
    checkRecordTime(record['t'], base, message, attributes)
  if (fault !== null) return fault
  const value = readRecordValue(record, base)
  if (value !== null && typeof value === 'object') return value
  const sum = readSum(record['s'], base)
  if (sum !== null && typeof sum === 'object') return sum
  if (value === null && sum === null)
    return problem('VALUE_MISSING', 'expected one of v, vs, vb, vd and s in a SenML record')
  if (value !== null) harvest.add(makeReading(message, metric, value, attributes))
  if (sum === null) return null
  const sumMetric = metricName(null, `${metric}.sum`)
  if (typeof sumMetric === 'object') return sumMetric
  if (attributes.unit !== undefined) attributes.unit += '*s'
  harvest.add(makeReading(message, sumMetric, sum, attributes))
  return null
}

function recordFields(record: JsonObject, base: Base): Fields {
  const extensions = readFields(record)
  const fields = new Fields()
  fields.unit = record['u'] ?? base.unit
  fields.seq = extensions.seq
  fields.session = extensions.session
  fields.id = extensions.id
  fields.quality = extensions.quality
  return fields
}

function readMetric(name: unknown, base: Base, { match }: Message): string | DecodeProblem {
  if (name !== undefined && typeof name !== 'string')
    return problem('SENML_RECORD_INVALID', `n: expected a text, got ${show(name)}`)
  const resolved = base.name + (name ?? '')
  const rest = resolved.slice(match.device.length)
  const ownName =
    resolved.startsWith(match.device) && (rest === '' || SEPARATOR.test(rest) || base.name === match.device)
  const metric = ownName ? rest.replace(SEPARATOR, '') : resolved
  return metric === '' ? ownMetric(match) : metricName(match.scope, metric)
}

function checkRecordTime(t: unknown, base: Base, message: Message, into: Attributes): DecodeProblem | null {
  if (t !== undefined && typeof t !== 'number') return timeProblem(t)
  const seconds = base.time + (t ?? 0)
  if (seconds === 0) return null
  const millis = fromSeconds(seconds)
  if (Number.isNaN(millis)) return timeProblem(seconds)
  const time: Millis = seconds < ABSOLUTE_FROM ? message.received + millis : millis
  const fault = checkTime(time, message.received, message.limits)
  if (fault === null) into.time = time
  return fault
}

/** The value of a record; null when it has none. */
function readRecordValue(record: JsonObject, base: Base): ReadingValue | DecodeProblem | null {
  const [label, another] = VALUE_LABELS.filter((candidate) => record[candidate] !== undefined)
  if (label === undefined) return null
  if (another !== undefined)
    return problem('SENML_RECORD_INVALID', `expected one of v, vs, vb and vd, got ${label} and ${another}`)
  const value = record[label]
  if (label === 'v' && typeof value === 'number') return readValue(base.value + value)
  if (label === 'vb' && typeof value === 'boolean') return value
  if (label === 'vs' && typeof value === 'string') return readValue(value)
  if (label === 'vd' && typeof value === 'string' && BASE64URL.test(value)) return readValue(value)
  const expected = { v: 'a number', vb: 'true or false', vs: 'a text', vd: 'a text in base64url' }[label]
  return problem('VALUE_TYPE', `${label}: expected ${expected}, got ${show(value)}`)
}

/** The integral over time; null when neither record nor base have one. */
function readSum(sum: unknown, base: Base): ReadingValue | DecodeProblem | null {
  if (sum === undefined) return base.sum
  if (typeof sum !== 'number') return problem('VALUE_TYPE', `s: expected a number, got ${show(sum)}`)
  return readValue((base.sum ?? 0) + sum)
}
