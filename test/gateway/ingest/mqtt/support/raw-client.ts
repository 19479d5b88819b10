import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { vi } from 'vitest'
import { type ConnectOptions, connectPacket } from './packets.ts'

/** One packet a server sent. */
export interface ReceivedPacket {
  type: number
  flags: number
  body: Buffer
}

/** A socket that speaks MQTT byte by byte, so that a test can say exactly what goes over the wire, and when. */
export class RawClient {
  readonly socket: Socket
  readonly packets: ReceivedPacket[] = []
  closed = false
  #buffer = Buffer.alloc(0)

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.closed = true
    })
  }

  static async open(where: NetConnectOpts): Promise<RawClient> {
    const socket = connect(where)
    const client = new RawClient(socket)
    await vi.waitFor(() => {
      if (socket.connecting && !client.closed) throw new Error('expected the socket to connect')
    }, PATIENCE)
    return client
  }

  /** A client whose CONNECT has been accepted. */
  static async connected(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const client = await RawClient.open({ host: '127.0.0.1', port })
    client.send(connectPacket(options))
    const connack = await client.next(2)
    if (connack.body[1] !== 0) throw new Error(`expected CONNACK 0, came ${connack.body[1]}`)
    return client
  }

  send(...packets: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(packets))
  }

  /** Takes the next packet of `type` out of what came, waiting for it. */
  async next(type: number): Promise<ReceivedPacket> {
    return vi.waitFor(() => {
      const index = this.packets.findIndex((packet) => packet.type === type)
      const [found] = index < 0 ? [] : this.packets.splice(index, 1)
      if (found === undefined) throw new Error(`expected packet type ${type}; closed: ${this.closed}`)
      return found
    }, PATIENCE)
  }

  /** Packet identifiers of the acknowledgements of `type` that came, in order. */
  ids(type: number): number[] {
    return this.packets.filter((packet) => packet.type === type).map((packet) => packet.body.readUInt16BE(0))
  }

  async whenClosed(): Promise<void> {
    await vi.waitFor(() => {
      if (!this.closed) throw new Error('expected the connection to be closed')
    }, PATIENCE)
  }

  destroy(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk])
    for (;;) {
      let length = 0
      let at = 1
      for (let shift = 0; ; shift += 7) {
        const byte = this.#buffer[at++]
        if (byte === undefined) return
        length += (byte & 0x7f) << shift
        if (byte < 0x80) break
      }
      if (this.#buffer.length < at + length) return
      const first = this.#buffer[0] ?? 0
      this.packets.push({ type: first >> 4, flags: first & 0x0f, body: this.#buffer.subarray(at, at + length) })
      this.#buffer = this.#buffer.subarray(at + length)
    }
  }
}

/** A busy machine may be slow; a broken server never answers. */
export const PATIENCE = { timeout: 20_000, interval: 5 }
