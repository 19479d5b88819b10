import { isUtf8 } from 'node:buffer'
import type { Bytes } from '../../../sync/contract/index.ts'
import type { TextFault } from './violation.ts'

/** Limits on topic names and filters. */
export interface TopicLimits {
  maxTopicBytes: Bytes
  maxTopicLevels: number
}

const SLASH = 0x2f
const PLUS = 0x2b
const HASH = 0x23

/**
 * A topic name, `data[start..end)`, as a PUBLISH or a will may carry it (MQTT 3.1.1 §4.7).
 * Runs once a message: one pass over plain ASCII, the native UTF-8 check only where it is needed.
 */
export function checkTopicName(data: Buffer, start: number, end: number, limits: TopicLimits): TextFault | null {
  if (start === end) return 'EMPTY'
  if (end - start > limits.maxTopicBytes) return 'TOO_LONG'
  let levels = 1
  let seen = 0
  for (let i = start; i < end; i++) {
    const byte = data[i] ?? 0
    seen |= byte
    if (byte === SLASH) levels++
    else if (byte === PLUS || byte === HASH) return 'WILDCARD'
    else if (byte === 0) return 'NUL'
  }
  if (levels > limits.maxTopicLevels) return 'TOO_DEEP'
  if (seen > 0x7f && !isUtf8(data.subarray(start, end))) return 'NOT_UTF8'
  return null
}

/** A topic filter, `data[start..end)`: `#` only as the last level, `+` only as a whole level (MQTT-4.7.1-2, -3). */
export function checkTopicFilter(data: Buffer, start: number, end: number, limits: TopicLimits): TextFault | null {
  if (start === end) return 'EMPTY'
  if (end - start > limits.maxTopicBytes) return 'TOO_LONG'
  let levels = 1
  for (let i = start; i < end; i++) {
    const byte = data[i] ?? 0
    if (byte === SLASH) levels++
    else if (byte === 0) return 'NUL'
    else if (byte === PLUS || byte === HASH) {
      const opens = i === start || data[i - 1] === SLASH
      const closes = i + 1 === end || (byte === PLUS && data[i + 1] === SLASH)
      if (!opens || !closes) return 'WILDCARD'
    }
  }
  if (levels > limits.maxTopicLevels) return 'TOO_DEEP'
  return isUtf8(data.subarray(start, end)) ? null : 'NOT_UTF8'
}

/** A client id, `data[start..end)`: it ends up in logs and file names of other systems, so no control characters. */
export function checkClientId(data: Buffer, start: number, end: number, maxBytes: Bytes): TextFault | null {
  if (end - start > maxBytes) return 'TOO_LONG'
  const fault = checkText(data, start, end)
  if (fault !== null) return fault
  for (let i = start; i < end; i++) {
    const byte = data[i] ?? 0
    const c1 = byte === 0xc2 && (data[i + 1] ?? 0) < 0xa0
    if (byte < 0x20 || byte === 0x7f || c1) return 'CONTROL_CHARACTER'
  }
  return null
}

/** Any MQTT string, `data[start..end)`: valid UTF-8 without NUL (MQTT-1.5.3-1, -2). */
export function checkText(data: Buffer, start: number, end: number): TextFault | null {
  const text = data.subarray(start, end)
  if (!isUtf8(text)) return 'NOT_UTF8'
  return text.includes(0) ? 'NUL' : null
}
