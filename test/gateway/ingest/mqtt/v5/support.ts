import { generate, type IConnectPacket, type Packet, parser } from 'mqtt-packet'
import { onTestFinished } from 'vitest'
import { remainingLength } from '../support/packets.ts'
import { RawClient, type ReceivedPacket } from '../support/raw-client.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../support/server.ts'

/** Packets by a codec that is not ours. */
export const bytesOf = (packet: Packet): Buffer => generate(packet, { protocolVersion: 5 })

/** Reads what the server sent with a codec that is not ours. */
export function packetOf({ type, flags, body }: ReceivedPacket): Packet {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: 5 })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  reader.parse(Buffer.concat([Buffer.from([(type << 4) | flags]), remainingLength(body.length), body]))
  const [packet] = packets
  if (packet === undefined) throw new Error('expected a packet')
  return packet
}

const TYPES = {
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  suback: 9,
  unsuback: 11,
  pingresp: 13,
  disconnect: 14,
} as const

type Named<K extends Packet['cmd']> = Extract<Packet, { cmd: K }>

/** A client of MQTT 5, packet by packet. */
export class RawClient5 {
  readonly raw: RawClient

  constructor(raw: RawClient) {
    this.raw = raw
  }

  send(...packets: readonly Packet[]): void {
    this.raw.send(...packets.map(bytesOf))
  }

  /** Takes the next packet of that kind out of what came, waiting for it. */
  async next<K extends keyof typeof TYPES>(kind: K): Promise<Named<K>> {
    return packetOf(await this.raw.next(TYPES[kind])) as Named<K>
  }

  /** What came and was not taken. */
  rest(): Packet[] {
    return this.raw.packets.map(packetOf)
  }
}

export const connect = (options: Partial<IConnectPacket> = {}): IConnectPacket => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 5,
  clientId: 'raw5',
  clean: true,
  keepalive: 60,
  ...options,
})

export interface Publishing {
  topic?: string
  payload?: string | Buffer
  qos?: 0 | 1 | 2
  messageId?: number
  dup?: boolean
  retain?: boolean
  properties?: Extract<Packet, { cmd: 'publish' }>['properties']
}

export function publish({ topic = 'sensors/a/t', payload = '1', qos = 1, messageId = 1, ...rest }: Publishing): Packet {
  const { dup = false, retain = false, properties } = rest
  return {
    cmd: 'publish',
    topic,
    payload,
    qos,
    dup,
    retain,
    ...(qos > 0 && { messageId }),
    ...(properties !== undefined && { properties }),
  }
}

export interface TestServer5 extends TestServer {
  /** A raw connection whose CONNECT was accepted, closed with the test. */
  raw5(options?: Partial<IConnectPacket>): Promise<RawClient5 & { connack: Named<'connack'> }>
  /** A raw connection that has sent nothing yet, closed with the test. */
  open5(): Promise<RawClient5>
}

export async function startTestServer5(options: TestServerOptions = {}): Promise<TestServer5> {
  const server = await startTestServer(options)
  const open5 = async (): Promise<RawClient5> => {
    const raw = await RawClient.open({ host: '127.0.0.1', port: server.port })
    onTestFinished(() => raw.destroy())
    return new RawClient5(raw)
  }
  return {
    ...server,
    open5,
    raw5: async (connecting) => {
      const client = await open5()
      client.send(connect(connecting))
      const connack = await client.next('connack')
      if (connack.reasonCode !== 0) throw new Error(`expected CONNACK 0, came ${connack.reasonCode}`)
      return Object.assign(client, { connack })
    },
  }
}
