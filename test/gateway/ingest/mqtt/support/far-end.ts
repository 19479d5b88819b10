import type { Socket } from 'node:net'
import type * as TcpWire from '../../../../../gateway/ingest/mqtt/tcp-wire.ts'
import type { Wire } from '../../../../../gateway/ingest/mqtt/wire.ts'

/** The server's end of a connection, as far as somebody else can see it. */
export class FarEnd {
  readonly #socket: Socket
  /** Past the socket. */
  #written = 0

  constructor({ stream }: Wire<Socket>) {
    this.#socket = stream
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  get isPaused(): boolean {
    return this.#socket.isPaused()
  }

  get bytesRead(): number {
    return this.#socket.bytesRead
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten + this.#written
  }

  wrote(bytes: number): void {
    this.#written += bytes
  }
}

/** Those that were accepted since it was emptied. */
export const farEnds: FarEnd[] = []

/** In place of the module that makes wires of sockets: the same, watched. */
export function watched({ tcpWire }: typeof TcpWire): typeof TcpWire {
  return {
    tcpWire(accepted) {
      const wire = tcpWire(accepted)
      const far = new FarEnd(wire)
      farEnds.push(far)
      return {
        ...wire,
        writeNow(bytes) {
          const written = wire.writeNow(bytes)
          far.wrote(written)
          return written
        },
      }
    },
  }
}
