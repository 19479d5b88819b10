/** MQTT 3.1.1 packets as bytes, including ones no proper client would send. */

export function frame(first: number, body: Buffer | readonly number[]): Buffer {
  return Buffer.concat([Buffer.from([first]), remainingLength(body.length), Buffer.from(body)])
}

export function remainingLength(length: number): Buffer {
  const bytes: number[] = []
  let left = length
  do {
    const low = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? low | 0x80 : low)
  } while (left > 0)
  return Buffer.from(bytes)
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint16(bytes.length), bytes])
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

export interface ConnectOptions {
  clientId?: string | Buffer
  clean?: boolean
  keepalive?: number
  protocol?: string
  level?: number
  will?: { topic: string | Buffer; payload: string; qos?: number; retain?: boolean }
  username?: string | Buffer
  password?: string
  /** Instead of the flags that follow from the rest. */
  flags?: number
}

export function connectPacket(options: ConnectOptions = {}): Buffer {
  const {
    clientId = 'raw',
    clean = true,
    keepalive = 60,
    protocol = 'MQTT',
    level = 4,
    will,
    username,
    password,
  } = options
  let flags = clean ? 0x02 : 0
  if (will !== undefined) flags |= 0x04 | ((will.qos ?? 0) << 3) | (will.retain ? 0x20 : 0)
  if (username !== undefined) flags |= 0x80
  if (password !== undefined) flags |= 0x40
  const parts = [text(protocol), Buffer.from([level, options.flags ?? flags]), uint16(keepalive), text(clientId)]
  if (will !== undefined) parts.push(text(will.topic), text(will.payload))
  if (username !== undefined) parts.push(text(username))
  if (password !== undefined) parts.push(text(password))
  return frame(0x10, Buffer.concat(parts))
}

export interface PublishOptions {
  topic?: string | Buffer
  payload?: string | Buffer
  qos?: number
  id?: number
  dup?: boolean
  retain?: boolean
}

export function publishPacket(options: PublishOptions = {}): Buffer {
  const { topic = 'sensors/a/t', payload = '1', qos = 0, id = 1, dup = false, retain = false } = options
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  const parts = [text(topic), ...(qos > 0 ? [uint16(id)] : []), Buffer.from(payload)]
  return frame(first, Buffer.concat(parts))
}

export function subscribePacket(filters: ReadonlyArray<string | Buffer>, qos = 0, id = 1): Buffer {
  const body = filters.map((filter) => Buffer.concat([text(filter), Buffer.from([qos])]))
  return frame(0x82, Buffer.concat([uint16(id), ...body]))
}

export function unsubscribePacket(filters: ReadonlyArray<string | Buffer>, id = 1): Buffer {
  return frame(0xa2, Buffer.concat([uint16(id), ...filters.map(text)]))
}

export const pubackPacket = (id: number): Buffer => frame(0x40, uint16(id))
export const pubrecPacket = (id: number): Buffer => frame(0x50, uint16(id))
export const pubrelPacket = (id: number): Buffer => frame(0x62, uint16(id))
export const pubcompPacket = (id: number): Buffer => frame(0x70, uint16(id))
export const pingreqPacket = Buffer.from([0xc0, 0])
export const disconnectPacket = Buffer.from([0xe0, 0])

/** Type and body of every packet in `bytes`, which have to be whole. */
export function readPackets(bytes: Buffer): Array<{ type: number; flags: number; body: Buffer }> {
  const packets: Array<{ type: number; flags: number; body: Buffer }> = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++] ?? 0
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      length += (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (at + length > bytes.length) throw new Error('expected whole packets')
    packets.push({ type: first >> 4, flags: first & 0x0f, body: bytes.subarray(at, at + length) })
    at += length
  }
  return packets
}
