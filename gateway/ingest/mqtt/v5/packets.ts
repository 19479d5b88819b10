import { type Properties, writeProperties } from './properties.ts'
import { REASON } from './reason.ts'
import { Writer } from './writer.ts'

/** What the server writes (MQTT 5 §3). */

export const PINGRESP = Buffer.from([0xd0, 0])

const NOTHING: Properties = {}

/** @param remaining what comes after the fixed header, which has no more than 5 bytes */
function packet(first: number, remaining: Writer): Buffer {
  const head = new Writer(5 + remaining.length)
  head.byte(first)
  head.varint(remaining.length)
  head.raw(remaining.bytes())
  return head.bytes()
}

function addProperties(writer: Writer, properties: Properties): void {
  const inner = new Writer()
  writeProperties(inner, properties)
  writer.varint(inner.length)
  writer.raw(inner.bytes())
}

/** CONNACK (§3.2). */
export function connack(reason: number, sessionPresent: boolean, properties: Properties): Buffer {
  const body = new Writer()
  body.byte(sessionPresent ? 1 : 0)
  body.byte(reason)
  addProperties(body, properties)
  return packet(0x20, body)
}

/** DISCONNECT (§3.14). */
export function disconnect(reason: number, properties: Properties = NOTHING): Buffer {
  const body = new Writer()
  body.byte(reason)
  addProperties(body, properties)
  return packet(0xe0, body)
}

export const ANSWER = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const
export type Answer = keyof typeof ANSWER

/** PUBACK, PUBREC, PUBREL or PUBCOMP (§3.4 to §3.7); success without more to say is as short as in 3.1.1. */
export function answer(kind: Answer, packetId: number, reason: number = REASON.success, reasonString?: string): Buffer {
  if (reason === REASON.success && reasonString === undefined)
    return Buffer.from([ANSWER[kind], 2, packetId >> 8, packetId & 0xff])
  if (reasonString === undefined) return Buffer.from([ANSWER[kind], 3, packetId >> 8, packetId & 0xff, reason])
  const body = new Writer()
  body.uint16(packetId)
  body.byte(reason)
  addProperties(body, { reasonString })
  return packet(ANSWER[kind], body)
}

/** SUBACK (§3.9) or UNSUBACK (§3.11): one code for each filter, in their order. */
export function subscribed(kind: 'suback' | 'unsuback', packetId: number, reasons: readonly number[]): Buffer {
  const body = new Writer()
  body.uint16(packetId)
  addProperties(body, NOTHING)
  for (const reason of reasons) body.byte(reason)
  return packet(kind === 'suback' ? 0x90 : 0xb0, body)
}

export interface OutgoingPublish {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  dup: boolean
  /** Not used at QoS 0. */
  packetId: number
  properties: Properties
}

/** PUBLISH (§3.3). */
export function publish({ topic, payload, qos, retain, dup, packetId, properties }: OutgoingPublish): Buffer {
  const body = new Writer(payload.length + topic.length + 32)
  body.text(topic)
  if (qos > 0) body.uint16(packetId)
  addProperties(body, properties)
  body.raw(payload)
  return packet(0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0), body)
}
