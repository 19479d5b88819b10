import type { Bytes } from '../../../../sync/contract/index.ts'
import type { KnownTexts } from '../../known-texts.ts'
import { viewOf } from '../../words.ts'
import { checkTopicName, type TopicLimits } from '../topic-text.ts'
import { textViolation, type Violation, violation } from '../violation.ts'
import { Cursor } from './cursor.ts'
import { checkResponseTopic, type Properties, readProperties } from './properties.ts'
import type { TopicAliases } from './topic-aliases.ts'

/** A PUBLISH of a client (MQTT 5 §3.3), its alias resolved. */
export interface IncomingPublish {
  topic: string
  /** A slice of what was read from the socket. */
  payload: Buffer
  qos: 0 | 1 | 2
  dup: boolean
  retain: boolean
  /** 0 for QoS 0. */
  packetId: number
  properties: Properties
  /** What it takes in memory: properties count, too. */
  size: Bytes
}

/** The whole body of a PUBLISH, `data[start..end)`. */
export function readPublish(
  data: Buffer,
  start: number,
  end: number,
  flags: number,
  { topics, aliases, limits }: { topics: KnownTexts; aliases: TopicAliases; limits: TopicLimits },
): IncomingPublish | Violation {
  const qos = (flags >> 1) & 3
  const dup = (flags & 0x08) !== 0
  if (qos === 3) return violation('QOS_INVALID', 'expected QoS 0, 1 or 2, came 3 (MQTT-3.3.1-4)')
  if (dup && qos === 0) return violation('DUP_WITHOUT_QOS', 'expected no DUP with QoS 0 (MQTT-3.3.1-2)')
  const cursor = new Cursor(data, start, end)
  const topicStart = cursor.field()
  const topicEnd = cursor.at
  const packetId = qos === 0 ? 0 : cursor.uint16()
  if (cursor.broken) return violation('PACKET_MALFORMED', 'expected the topic of PUBLISH inside the packet')
  if (qos > 0 && packetId === 0)
    return violation('PACKET_ID_ZERO', 'expected a packet identifier, came 0 (MQTT-2.2.1-3)')
  const properties = readProperties(cursor, 'publish')
  if ('code' in properties) return properties
  const responseFault = checkResponseTopic(properties, limits)
  if (responseFault !== null) return responseFault
  let given: string | null = null
  if (topicEnd > topicStart) {
    const view = viewOf(data)
    let known = topics.find(view, topicStart, topicEnd)
    if (known === null) {
      const fault = checkTopicName(data, topicStart, topicEnd, limits)
      if (fault !== null) return textViolation('TOPIC', fault, topicEnd - topicStart)
      known = topics.learn(view, topicStart, topicEnd)
    }
    given = known.text
  }
  const topic = aliases.resolve(given, properties.topicAlias)
  if (typeof topic !== 'string') return topic
  return {
    topic,
    payload: data.subarray(cursor.at, end),
    qos: qos as 0 | 1 | 2,
    dup,
    retain: (flags & 0x01) !== 0,
    packetId,
    properties,
    size: end - start,
  }
}
