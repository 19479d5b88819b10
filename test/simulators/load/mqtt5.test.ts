import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { afterEach, describe, expect, it } from 'vitest'
import { runLoad } from '../../../simulators/load/index.ts'

let server: Server | undefined
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())))

interface Seen {
  port: number
  connects: Packet[]
  publishes: IPublishPacket[]
  /** Publishes without an answer at one time, at most. */
  most: number
}

/** Speaks MQTT 5: allows so many publishes at a time, and answers a batch of them only when the client sends no more. */
async function listen(receiveMaximum: number | undefined, reasonOf: (id: number) => number = () => 0): Promise<Seen> {
  const seen: Seen = { port: 0, connects: [], publishes: [], most: 0 }
  server = createServer((socket) => {
    const reader = parser({ protocolVersion: 5 })
    let waiting: number[] = []
    const send = (packet: Packet): void => void socket.write(generate(packet, { protocolVersion: 5 }))
    const answer = (): void => {
      for (const messageId of waiting) send({ cmd: 'puback', messageId, reasonCode: reasonOf(messageId) })
      waiting = []
    }
    reader.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        seen.connects.push(packet)
        const properties = receiveMaximum === undefined ? {} : { properties: { receiveMaximum } }
        send({ cmd: 'connack', reasonCode: 0, sessionPresent: false, ...properties })
      } else if (packet.cmd === 'publish') {
        seen.publishes.push(packet)
        waiting.push(packet.messageId ?? 0)
        seen.most = Math.max(seen.most, waiting.length)
        // Whatever came in the same bytes is parsed before this.
        setImmediate(answer)
      }
    })
    socket.on('data', (chunk) => reader.parse(chunk))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  seen.port = (server.address() as AddressInfo).port
  return seen
}

const load = ({ port }: Seen) =>
  runLoad({
    servers: [{ host: '127.0.0.1', port }],
    connections: 2,
    inFlight: 10,
    count: 200,
    version: 5,
    connectWithin: 5_000,
  })

describe('the load generator, in MQTT 5', () => {
  it('publishes what it publishes in 3.1.1', async () => {
    const seen = await listen(undefined)
    expect(await load(seen)).toMatchObject({ sent: 400, acknowledged: 400, counted: true, readingsPerPublish: 1 })
    expect(seen.connects.map((packet) => packet.cmd === 'connect' && packet.protocolVersion)).toEqual([5, 5])
    expect(seen.publishes.length).toBe(400)
    expect(seen.publishes.every(({ qos, topic }) => qos === 1 && topic.endsWith('/temperature'))).toBe(true)
    const seqs = seen.publishes.map(({ topic, payload }) => `${topic} ${JSON.parse(payload.toString()).seq}`)
    expect(new Set(seqs).size).toBe(400)
    expect(seen.most).toBeLessThanOrEqual(10)
  })

  it('has no more in flight than the server allows', async () => {
    const seen = await listen(3)
    expect(await load(seen)).toMatchObject({ sent: 400, acknowledged: 400 })
    expect(seen.most).toBeLessThanOrEqual(3)
  })

  it('takes a yes that nobody listens to for a yes', async () => {
    expect(await load(await listen(undefined, () => 0x10))).toMatchObject({ acknowledged: 400 })
  })

  it('gives up when a publish is refused: what it was to measure is not going on', async () => {
    const seen = await listen(undefined, (id) => (id === 7 ? 0x97 : 0))
    await expect(load(seen)).rejects.toMatchObject({
      code: 'LOAD_REFUSED',
      message: expect.stringMatching(/^the server refused a publish of load-000\d with 0x97$/),
    })
  })
})
