/**
 * Every reason for which a publish, or a part of it, cannot become a reading. The codes are stable: dead letters carry
 * them for years, runbooks and alerts refer to them.
 */
export const DECODE_CODES = {
  TOPIC_UNKNOWN: 'No topic template and no local filter matches the topic.',
  DEVICE_INVALID: "The topic's device is longer than 256 characters, has control characters or is `__proto__`.",
  DEVICE_MISMATCH: "The payload's `device` is not the device that the topic names.",
  METRIC_INVALID:
    'A metric (from the topic, a key, `metric`, or a SenML name) is empty, longer than 256 characters, has control characters or is `__proto__`.',
  METRIC_MISSING: 'Neither topic, template nor payload name a metric.',
  LABELS_INVALID:
    '`labels` is no object of texts, a key or text is empty, too long or has control characters, or there are more than 16.',
  CONTENT_TYPE_UNSUPPORTED:
    'MQTT 5: the content type of the message is neither a text nor JSON (`text/...`, `.../json`, `...+json`).',
  MESSAGE_EXPIRED: "MQTT 5: a reading's time is further back than the expiry of its message when it arrives.",
  PAYLOAD_EMPTY: 'The payload holds nothing but blanks.',
  PAYLOAD_TOO_LARGE: 'The payload is larger than `maxPayload`.',
  PAYLOAD_NOT_UTF8: 'The payload is not valid UTF-8.',
  PAYLOAD_NOT_JSON: 'The payload is neither a number nor JSON.',
  PAYLOAD_TOO_DEEP: 'Objects and arrays are nested more than 8 deep.',
  PAYLOAD_NO_READINGS: 'Valid JSON without any value: an empty array, or an object with only reserved keys or nulls.',
  PAYLOAD_TOO_MANY_READINGS:
    'The message holds more than `maxReadingsPerMessage` readings, refused ones included. None of them is taken.',
  READING_NOT_OBJECT: 'An element of an array is not an object.',
  VALUE_MISSING: '`value` is null, or a SenML record has neither value nor sum.',
  VALUE_TYPE: 'A value is an object or array, or a SenML value has not the type of its key.',
  VALUE_NOT_FINITE: 'A value is NaN, infinite, or beyond the range of a double (1e999).',
  VALUE_TEXT_INVALID:
    'A text value is longer than 1024 characters, or has control characters other than tab and line ends.',
  TIME_INVALID:
    'A timestamp is neither Unix milliseconds, Unix seconds (numbers below 1e11) nor RFC 3339 with its offset.',
  TIME_TOO_OLD: 'A timestamp is older than `maxAge`.',
  TIME_IN_FUTURE: 'A timestamp is further ahead than `maxFuture`.',
  SEQ_INVALID: '`seq` is not a whole number from 0 to 2^53 - 1.',
  ID_INVALID: '`id` is neither a text of 1 to 128 characters nor a whole number within 2^53 - 1.',
  SESSION_INVALID: '`session` (`boot`) is neither a text of 1 to 128 characters nor a whole number within 2^53 - 1.',
  QUALITY_INVALID: '`quality` is not `good`, `uncertain` or `bad`.',
  UNIT_INVALID: 'A unit is not a text of 1 to 32 characters without control characters.',
  SENML_VERSION: 'A SenML pack has a version above 10, or not a positive whole number, or more than one.',
  SENML_BASE_INVALID: 'A SenML base field has the wrong type: its record and all after it are refused.',
  SENML_RECORD_INVALID: 'A SenML record has more than one value, or a field of the wrong type.',
  SENML_FIELD_UNKNOWN:
    'A SenML record has a field whose name ends in `_`: it must be understood, and is not (RFC 8428 §4.4).',
} as const

export type DecodeCode = keyof typeof DECODE_CODES

/** Why something could not become a reading: code for programs, reason (what was expected, what came) for people. */
export interface DecodeProblem {
  code: DecodeCode
  reason: string
}

export function problem(code: DecodeCode, reason: string): DecodeProblem {
  return { code, reason }
}

/** The problem of a publish on a topic that nothing was configured for. */
export function unknownTopic(topic: string): DecodeProblem {
  return problem('TOPIC_UNKNOWN', `no topic template and no local topic filter matches '${clip(topic)}'`)
}

/** A value as people recognise it in a message, never longer than about a line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value === 'number') return `${value}`
  return clip(JSON.stringify(value) ?? 'nothing')
}

export function clip(text: string, length = 80): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`
}
