import { isPeerClient } from '../../../failover/link/index.ts'
import type { ConnectLimits } from '../connect-frame.ts'
import { checkClientId, checkTopicName } from '../topic-text.ts'
import { textViolation, type Violation, violation } from '../violation.ts'
import { Cursor } from './cursor.ts'
import { checkResponseTopic, type Properties, readProperties } from './properties.ts'
import { Writer } from './writer.ts'

/** What a client wants to have published when it is gone (MQTT 5 §3.1.2.5). */
export interface Will {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  properties: Properties
}

/** A CONNECT (MQTT 5 §3.1). */
export interface Connect {
  /** Empty: the server assigns one. */
  clientId: string
  cleanStart: boolean
  /** Seconds; 0 = none. */
  keepAlive: number
  username: string | null
  password: Buffer | null
  will: Will | null
  properties: Properties
}

const FLAG = { reserved: 0x01, cleanStart: 0x02, will: 0x04, willRetain: 0x20, password: 0x40, username: 0x80 }

/** What comes before the level in a CONNECT of any version since 3.1.1: the name's length, and the name. */
export const PROTOCOL_NAME = Buffer.from([0, 4, ...Buffer.from('MQTT')])
export const LEVEL = 5

/** The whole body of a CONNECT of MQTT 5. */
export function readConnect(data: Buffer, start: number, end: number, limits: ConnectLimits): Connect | Violation {
  const cursor = new Cursor(data, start + PROTOCOL_NAME.length + 1, end)
  const flags = cursor.byte()
  const willQos = (flags >> 3) & 3
  const hasWill = (flags & FLAG.will) !== 0
  if ((flags & FLAG.reserved) !== 0 || willQos === 3 || (!hasWill && (flags & (0x18 | FLAG.willRetain)) !== 0))
    return violation(
      'CONNECT_FLAGS_INVALID',
      `expected connect flags that agree (§3.1.2), came 0x${flags.toString(16)}`,
    )
  const keepAlive = cursor.uint16()
  const properties = readProperties(cursor, 'connect')
  if ('code' in properties) return properties
  if (properties.authMethod !== undefined)
    return violation('AUTH_METHOD_UNSUPPORTED', 'expected no authentication method: there is no enhanced one here')
  if (properties.authData !== undefined)
    return violation('PROTOCOL_ERROR', 'expected no authentication data without a method (§3.1.2.11.10)')

  const idStart = cursor.field()
  const idFault = checkClientId(data, idStart, cursor.at, limits.maxClientIdBytes)
  if (idFault !== null) return textViolation('CLIENT_ID', idFault, cursor.at - idStart)
  const clientId = data.toString('utf8', idStart, cursor.at)

  let will: Will | null = null
  if (hasWill) {
    const found = readWill(cursor, willQos as 0 | 1 | 2, (flags & FLAG.willRetain) !== 0, limits)
    if ('code' in found) return found
    will = found
  }
  const username = (flags & FLAG.username) !== 0 ? cursor.text() : null
  const password = (flags & FLAG.password) !== 0 ? cursor.binary() : null
  if (cursor.broken || cursor.left > 0)
    return violation(
      'PACKET_MALFORMED',
      'expected every field of CONNECT, valid and inside the packet, and nothing else',
    )
  if (isPeerClient(clientId) || isPeerClient(username ?? ''))
    return violation('CLIENT_ID_RESERVED', 'expected a device: gateways of a site speak MQTT 3.1.1 to each other')
  const cleanStart = (flags & FLAG.cleanStart) !== 0
  return { clientId, cleanStart, keepAlive, username, password, will, properties }
}

function readWill(cursor: Cursor, qos: 0 | 1 | 2, retain: boolean, limits: ConnectLimits): Will | Violation {
  const properties = readProperties(cursor, 'will')
  if ('code' in properties) return properties
  const responseFault = checkResponseTopic(properties, limits)
  if (responseFault !== null) return responseFault
  const start = cursor.field()
  const fault = checkTopicName(cursor.data, start, cursor.at, limits)
  if (fault !== null) return textViolation('WILL_TOPIC', fault, cursor.at - start)
  const topic = cursor.data.toString('utf8', start, cursor.at)
  return { topic, payload: cursor.binary(), qos, retain, properties }
}

/**
 * The CONNECT of MQTT 3.1.1 that the broker library is shown instead: who it is, and how long it may be silent. Not a clean
 * session, or the library would release the client's QoS 2 identifiers with each connection.
 */
export function libraryConnect(clientId: string, keepAlive: number, { username, password }: Connect): Buffer {
  const body = new Writer()
  body.raw(PROTOCOL_NAME)
  body.byte(4)
  // 3.1.1 has no password without a user name (MQTT-3.1.2-22).
  const named = username !== null || password !== null
  body.byte((named ? FLAG.username : 0) | (password === null ? 0 : FLAG.password))
  body.uint16(keepAlive)
  body.text(clientId)
  if (named) body.text(username ?? '')
  if (password !== null) body.binary(password)
  const head = new Writer(body.length + 5)
  head.byte(0x10)
  head.varint(body.length)
  head.raw(body.bytes())
  return head.bytes()
}

/** The DISCONNECT of MQTT 3.1.1. */
export const LIBRARY_DISCONNECT = Buffer.from([0xe0, 0])
