import { checkTopicName, type TopicLimits } from '../topic-text.ts'
import { textViolation, type Violation, violation } from '../violation.ts'
import type { Cursor } from './cursor.ts'
import type { Writer } from './writer.ts'

/** Names and values in the order in which they came, which is kept (MQTT-3.3.2-18). */
export type UserProperties = ReadonlyArray<readonly [name: string, value: string]>

/** What is not there was not said. */
export interface Properties {
  payloadFormat?: number
  /** Seconds. */
  messageExpiry?: number
  contentType?: string
  responseTopic?: string
  correlationData?: Buffer
  subscriptionId?: number
  /** Several, in a PUBLISH to a subscriber. */
  subscriptionIds?: readonly number[]
  /** Seconds. */
  sessionExpiry?: number
  assignedClientId?: string
  /** Seconds. */
  serverKeepAlive?: number
  authMethod?: string
  authData?: Buffer
  requestProblem?: number
  /** Seconds. */
  willDelay?: number
  requestResponse?: number
  serverReference?: string
  reasonString?: string
  receiveMaximum?: number
  topicAliasMaximum?: number
  topicAlias?: number
  retainAvailable?: number
  user?: UserProperties
  maxPacketSize?: number
  wildcardAvailable?: number
  subscriptionIdAvailable?: number
  sharedAvailable?: number
}

type Kind = 'flag' | 'uint16' | 'uint32' | 'varint' | 'text' | 'binary'
type Single = Exclude<keyof Properties, 'user' | 'subscriptionIds'>

/** Packets with properties that a client may send; a will has properties of its own. */
export type Carrier = 'connect' | 'will' | 'publish' | 'ack' | 'subscribe' | 'unsubscribe' | 'disconnect' | 'auth'

interface Rule {
  readonly name: Single
  readonly kind: Kind
  /** Clients may send it in these; in none if it is the server's to say. */
  readonly carriers: readonly Carrier[]
  /** Zero is a protocol error. */
  readonly positive?: boolean
}

const MESSAGE: readonly Carrier[] = ['publish', 'will']

/** MQTT 5 §2.2.2.2. */
const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [0x01, { name: 'payloadFormat', kind: 'flag', carriers: MESSAGE }],
  [0x02, { name: 'messageExpiry', kind: 'uint32', carriers: MESSAGE }],
  [0x03, { name: 'contentType', kind: 'text', carriers: MESSAGE }],
  [0x08, { name: 'responseTopic', kind: 'text', carriers: MESSAGE }],
  [0x09, { name: 'correlationData', kind: 'binary', carriers: MESSAGE }],
  [0x0b, { name: 'subscriptionId', kind: 'varint', carriers: ['subscribe'], positive: true }],
  [0x11, { name: 'sessionExpiry', kind: 'uint32', carriers: ['connect', 'disconnect'] }],
  [0x12, { name: 'assignedClientId', kind: 'text', carriers: [] }],
  [0x13, { name: 'serverKeepAlive', kind: 'uint16', carriers: [] }],
  [0x15, { name: 'authMethod', kind: 'text', carriers: ['connect', 'auth'] }],
  [0x16, { name: 'authData', kind: 'binary', carriers: ['connect', 'auth'] }],
  [0x17, { name: 'requestProblem', kind: 'flag', carriers: ['connect'] }],
  [0x18, { name: 'willDelay', kind: 'uint32', carriers: ['will'] }],
  [0x19, { name: 'requestResponse', kind: 'flag', carriers: ['connect'] }],
  [0x1c, { name: 'serverReference', kind: 'text', carriers: [] }],
  [0x1f, { name: 'reasonString', kind: 'text', carriers: ['ack', 'disconnect', 'auth'] }],
  [0x21, { name: 'receiveMaximum', kind: 'uint16', carriers: ['connect'], positive: true }],
  [0x22, { name: 'topicAliasMaximum', kind: 'uint16', carriers: ['connect'] }],
  [0x23, { name: 'topicAlias', kind: 'uint16', carriers: ['publish'] }],
  [0x25, { name: 'retainAvailable', kind: 'flag', carriers: [] }],
  [0x27, { name: 'maxPacketSize', kind: 'uint32', carriers: ['connect'], positive: true }],
  [0x28, { name: 'wildcardAvailable', kind: 'flag', carriers: [] }],
  [0x29, { name: 'subscriptionIdAvailable', kind: 'flag', carriers: [] }],
  [0x2a, { name: 'sharedAvailable', kind: 'flag', carriers: [] }],
])

const USER = 0x26
const SUBSCRIPTION_ID = 0x0b

const NONE: Properties = Object.freeze({})

/**
 * The properties of a packet, from their length on (MQTT 5 §2.2.2). Strict: each at most once, except user properties; only where
 * the client may send it; with a value that it may have.
 */
export function readProperties(cursor: Cursor, carrier: Carrier): Properties | Violation {
  const length = cursor.varint()
  if (length === 0 && !cursor.broken) return NONE
  if (cursor.broken || length > cursor.left) return malformed()
  const end = cursor.at + length
  const found: Properties = {}
  const user: Array<readonly [string, string]> = []
  while (cursor.at < end && !cursor.broken) {
    const id = cursor.varint()
    if (id === USER) {
      const name = cursor.text()
      user.push([name, cursor.text()])
      continue
    }
    const rule = RULES.get(id)
    if (rule === undefined) return malformed()
    if (!rule.carriers.includes(carrier))
      return violation('PROTOCOL_ERROR', `expected no ${rule.name} in ${carrier} (MQTT 5 §2.2.2.2)`)
    if (found[rule.name] !== undefined)
      return violation('PROTOCOL_ERROR', `expected ${rule.name} at most once (MQTT 5 §2.2.2)`)
    const value = readValue(cursor, rule.kind)
    if ((rule.positive && value === 0) || (rule.kind === 'flag' && Number(value) > 1))
      return violation('PROTOCOL_ERROR', `${rule.name}: came ${String(value)}, which it may not be`)
    ;(found as Record<Single, unknown>)[rule.name] = value
  }
  if (cursor.broken || cursor.at !== end) return malformed()
  if (user.length > 0) found.user = user
  return found
}

/** A response topic is a topic name, not a filter (MQTT-3.3.2-14). */
export function checkResponseTopic({ responseTopic }: Properties, limits: TopicLimits): Violation | null {
  if (responseTopic === undefined) return null
  const topic = Buffer.from(responseTopic)
  const fault = checkTopicName(topic, 0, topic.length, limits)
  return fault === null ? null : textViolation('RESPONSE_TOPIC', fault, topic.length)
}

function readValue(cursor: Cursor, kind: Kind): number | string | Buffer {
  switch (kind) {
    case 'flag':
      return cursor.byte()
    case 'uint16':
      return cursor.uint16()
    case 'uint32':
      return cursor.uint32()
    case 'varint':
      return cursor.varint()
    case 'text':
      return cursor.text()
    case 'binary':
      return cursor.binary()
  }
}

const malformed = (): Violation =>
  violation('PACKET_MALFORMED', 'expected known properties, whole and within their length (MQTT 5 §2.2.2)')

/** Writes the bytes of `properties`, without their length. */
export function writeProperties(writer: Writer, properties: Properties): void {
  for (const [id, { name, kind }] of RULES) {
    const value = properties[name]
    if (value === undefined) continue
    writer.byte(id)
    if (kind === 'text') writer.text(String(value))
    else if (kind === 'binary') writer.binary(value as Buffer)
    else if (kind === 'flag') writer.byte(Number(value))
    else if (kind === 'uint16') writer.uint16(Number(value))
    else if (kind === 'uint32') writer.uint32(Number(value))
    else writer.varint(Number(value))
  }
  for (const id of properties.subscriptionIds ?? []) {
    writer.byte(SUBSCRIPTION_ID)
    writer.varint(id)
  }
  for (const [name, value] of properties.user ?? []) {
    writer.byte(USER)
    writer.text(name)
    writer.text(value)
  }
}
