import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'

export interface Arrival {
  topic: string
  payload: Buffer
  qos: number
  /** Says of itself that it may be a repeat. */
  dup: boolean
}

/**
 * A bare broker in the place of a gateway: notes every publish, then acknowledges it. It can be killed (sockets reset, nothing
 * remembered) and started again on the same port.
 */
export class TestBroker {
  /** Every publish, in order of arrival; repeats too. */
  readonly arrivals: Arrival[] = []
  port = 0
  /** Publishes that are noted but not acknowledged: the connection is closed instead. */
  refuseAcks = false
  #broker: Aedes | undefined
  #server: Server | undefined
  #sockets = new Set<Socket>()

  static async start(): Promise<TestBroker> {
    const broker = new TestBroker()
    await broker.start()
    return broker
  }

  get connections(): number {
    return this.#sockets.size
  }

  async start(): Promise<void> {
    const broker = await Aedes.createBroker()
    broker.authorizePublish = (_client, packet, done) => {
      const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload)
      this.arrivals.push({ topic: packet.topic, payload: Buffer.from(payload), qos: packet.qos, dup: packet.dup })
      done(this.refuseAcks ? new Error('no acknowledgement') : null)
    }
    // Nobody subscribes: a client that goes away is no error of the test.
    broker.on('clientError', () => undefined)
    broker.on('connectionError', () => undefined)
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      broker.handle(socket)
    })
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#broker = broker
    this.#server = server
  }

  async kill(): Promise<void> {
    const [broker, server] = [this.#broker, this.#server]
    this.#broker = undefined
    this.#server = undefined
    if (broker === undefined || server === undefined) return
    const over = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await over
    await new Promise<void>((resolve) => broker.close(() => resolve()))
  }
}
