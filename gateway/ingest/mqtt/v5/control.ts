import type { FilterLimits } from '../subscribe-frame.ts'
import { checkTopicFilter } from '../topic-text.ts'
import { textViolation, type Violation, violation } from '../violation.ts'
import { Cursor } from './cursor.ts'
import { type Properties, readProperties } from './properties.ts'
import { REASON } from './reason.ts'

type QoS = 0 | 1 | 2

/** What a client wants of a subscription (MQTT 5 §3.8.3.1). */
export interface SubscriptionOptions {
  readonly qos: QoS
  /** Not what the client publishes itself. */
  readonly noLocal: boolean
  /** RETAIN stays as it was published; else it says that the message was retained before. */
  readonly retainAsPublished: boolean
  /** When retained messages are sent: 0 always, 1 if the subscription is new, 2 never. */
  readonly retainHandling: 0 | 1 | 2
  readonly id: number | null
}

export interface Subscribe {
  packetId: number
  subscriptions: ReadonlyArray<{ filter: string; options: SubscriptionOptions }>
}

export interface Unsubscribe {
  packetId: number
  filters: readonly string[]
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP of a client. */
export interface ClientAnswer {
  packetId: number
  reason: number
}

export interface Disconnect {
  reason: number
  properties: Properties
}

export const SHARED = '$share/'

const malformed = (what: string): Violation =>
  violation('PACKET_MALFORMED', `expected every field of ${what}, valid and inside the packet`)

/** The whole body of a SUBSCRIBE (§3.8). */
export function readSubscribe(data: Buffer, start: number, end: number, limits: FilterLimits): Subscribe | Violation {
  const cursor = new Cursor(data, start, end)
  const packetId = cursor.uint16()
  const properties = readProperties(cursor, 'subscribe')
  if ('code' in properties) return properties
  const subscriptions: Array<{ filter: string; options: SubscriptionOptions }> = []
  const fault = eachFilter(cursor, packetId, limits, (filter) => {
    const byte = cursor.byte()
    const qos = byte & 3
    const retainHandling = (byte >> 4) & 3
    const noLocal = (byte & 4) !== 0
    if ((byte & 0xc0) !== 0) return malformed('SUBSCRIBE')
    if (qos === 3 || retainHandling === 3)
      return violation('PROTOCOL_ERROR', `expected subscription options as in §3.8.3.1, came 0x${byte.toString(16)}`)
    // MQTT-3.8.3-4.
    if (noLocal && filter.startsWith(SHARED))
      return violation('PROTOCOL_ERROR', 'expected no No Local on a shared subscription')
    subscriptions.push({
      filter,
      options: {
        qos: qos as QoS,
        noLocal,
        retainAsPublished: (byte & 8) !== 0,
        retainHandling: retainHandling as QoS,
        id: properties.subscriptionId ?? null,
      },
    })
    return null
  })
  return fault ?? { packetId, subscriptions }
}

/** The whole body of an UNSUBSCRIBE (§3.10). */
export function readUnsubscribe(
  data: Buffer,
  start: number,
  end: number,
  limits: FilterLimits,
): Unsubscribe | Violation {
  const cursor = new Cursor(data, start, end)
  const packetId = cursor.uint16()
  const properties = readProperties(cursor, 'unsubscribe')
  if ('code' in properties) return properties
  const filters: string[] = []
  const fault = eachFilter(cursor, packetId, limits, (filter) => {
    filters.push(filter)
    return null
  })
  return fault ?? { packetId, filters }
}

function eachFilter(
  cursor: Cursor,
  packetId: number,
  limits: FilterLimits,
  take: (filter: string) => Violation | null,
): Violation | null {
  if (cursor.broken) return malformed('the packet')
  if (packetId === 0) return violation('PACKET_ID_ZERO', 'expected a packet identifier, came 0')
  if (cursor.left === 0) return violation('PROTOCOL_ERROR', 'expected at least one filter (MQTT-3.8.3-2)')
  for (let count = 1; cursor.left > 0; count++) {
    if (count > limits.maxFiltersPerPacket)
      return violation('TOO_MANY_FILTERS', `expected at most ${limits.maxFiltersPerPacket} filters in a packet`)
    const start = cursor.field()
    if (cursor.broken) return malformed('the packet')
    const textFault = checkTopicFilter(cursor.data, start, cursor.at, limits)
    if (textFault !== null) return textViolation('FILTER', textFault, cursor.at - start)
    const fault = take(cursor.data.toString('utf8', start, cursor.at))
    if (fault !== null) return fault
    if (cursor.broken) return malformed('the packet')
  }
  return null
}

/** The whole body of a PUBACK, PUBREC, PUBREL or PUBCOMP (§3.4 to §3.7). */
export function readAnswer(data: Buffer, start: number, end: number): ClientAnswer | Violation {
  const cursor = new Cursor(data, start, end)
  const packetId = cursor.uint16()
  const reason = cursor.left > 0 ? cursor.byte() : REASON.success
  const properties = cursor.left > 0 ? readProperties(cursor, 'ack') : null
  if (properties !== null && 'code' in properties) return properties
  if (cursor.broken || cursor.left > 0) return malformed('the acknowledgement')
  if (packetId === 0) return violation('PACKET_ID_ZERO', 'expected a packet identifier, came 0')
  return { packetId, reason }
}

/** The whole body of a DISCONNECT (§3.14). */
export function readDisconnect(data: Buffer, start: number, end: number): Disconnect | Violation {
  const cursor = new Cursor(data, start, end)
  const reason = cursor.left > 0 ? cursor.byte() : REASON.success
  const properties = cursor.left > 0 ? readProperties(cursor, 'disconnect') : {}
  if ('code' in properties) return properties
  if (cursor.broken || cursor.left > 0) return malformed('DISCONNECT')
  return { reason, properties }
}
