import { checkTopicFilter, type TopicLimits } from './topic-text.ts'
import { textViolation, type Violation, violation } from './violation.ts'

export interface FilterLimits extends TopicLimits {
  maxFiltersPerPacket: number
}

/**
 * The whole body of a SUBSCRIBE (`withQos`) or UNSUBSCRIBE, `data[start..end)` (MQTT 3.1.1 §3.8, §3.10): a packet
 * identifier, then at least one filter, each followed by its QoS byte in a SUBSCRIBE.
 */
export function checkFilters(
  data: Buffer,
  start: number,
  end: number,
  withQos: boolean,
  limits: FilterLimits,
): Violation | null {
  if (end - start < 5) return violation('PACKET_MALFORMED', 'expected a packet identifier and at least one filter')
  if (data.readUInt16BE(start) === 0) return violation('PACKET_ID_ZERO', 'expected a packet identifier, came 0')
  let at = start + 2
  for (let count = 1; at < end; count++) {
    if (count > limits.maxFiltersPerPacket) {
      return violation('TOO_MANY_FILTERS', `expected at most ${limits.maxFiltersPerPacket} filters in a packet`)
    }
    const from = at + 2
    const to = from > end ? from : from + data.readUInt16BE(at)
    const next = withQos ? to + 1 : to
    if (next > end) return violation('PACKET_MALFORMED', 'expected every filter inside the packet')
    const fault = checkTopicFilter(data, from, to, limits)
    if (fault !== null) return textViolation('FILTER', fault, to - from)
    const qos = withQos ? (data[to] ?? 0) : 0
    if (qos > 2) return violation('QOS_INVALID', `expected a requested QoS of 0, 1 or 2, came ${qos} (MQTT-3.8.3-4)`)
    at = next
  }
  return null
}
