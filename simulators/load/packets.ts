import type { MqttVersion } from '../fleet/index.ts'

/** First byte of a QoS 1 PUBLISH (§3.3.1). */
export const PUBLISH_QOS1 = 0x32

/** A QoS 1 PUBLISH with packet identifier 0, in version 5 without properties; and where identifier (right behind the topic) and payload begin. */
export function publishFrame(
  version: MqttVersion,
  topic: string,
  payload: Buffer,
): { frame: Buffer; idAt: number; payloadAt: number } {
  const name = Buffer.from(topic)
  const properties = version === 5 ? NO_PROPERTIES : EMPTY
  const rest = Buffer.concat([uint16(name.length), name, uint16(0), properties, payload])
  const frame = Buffer.concat([Buffer.from([PUBLISH_QOS1]), remainingLength(rest.length), rest])
  const payloadAt = frame.length - payload.length
  const idAt = payloadAt - properties.length - 2
  return { frame, idAt, payloadAt }
}

export interface ConnectOptions {
  clientId: string
  username?: string
  password?: string
  /** 4 (MQTT 3.1.1) by default. */
  version?: MqttVersion
}

/** CONNECT (§3.1) without a keep-alive that goes on with the client's last session and asks for one that lasts. */
export function connectFrame({ clientId, username, password, version = 4 }: ConnectOptions): Buffer {
  const flags = (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  const fields = [clientId, username, password].filter((field) => field !== undefined)
  const payload = fields.map((field) => Buffer.concat([uint16(Buffer.byteLength(field)), Buffer.from(field)]))
  const head = [uint16(4), Buffer.from('MQTT'), Buffer.from([version, flags]), uint16(0)]
  const rest = Buffer.concat([...head, version === 5 ? SESSION_LASTS : EMPTY, ...payload])
  return Buffer.concat([Buffer.from([0x10]), remainingLength(rest.length), rest])
}

/** DISCONNECT (§3.14), the same in both versions. */
export const DISCONNECT: Buffer = Buffer.from([0xe0, 0x00])

const EMPTY: Buffer = Buffer.alloc(0)
const NO_PROPERTIES: Buffer = Buffer.from([0])
/** Session Expiry Interval (MQTT 5 §3.1.2.11.2): for ever, which 3.1.1 says with clean session 0. */
const SESSION_LASTS: Buffer = Buffer.from([5, 0x11, 0xff, 0xff, 0xff, 0xff])

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** §2.2.3 */
function remainingLength(length: number): Buffer {
  const bytes: number[] = []
  let rest = length
  do {
    const digit = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? digit | 0x80 : digit)
  } while (rest > 0)
  return Buffer.from(bytes)
}
