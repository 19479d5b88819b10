import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A server for proxies to stand in front of: keeps what it got, and the connections to answer on. */
export interface TestServer {
  port: number
  connections: Socket[]
  /** Everything received on any connection, in order of arrival. */
  received(): string
  close(): Promise<void>
}

/** @param onData what the server answers to each chunk; nothing by default */
export async function startServer(
  onData: (socket: Socket, chunk: Buffer) => void = () => undefined,
): Promise<TestServer> {
  const connections: Socket[] = []
  const chunks: Buffer[] = []
  const server: Server = createServer((socket) => {
    connections.push(socket)
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      onData(socket, chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    received: () => Buffer.concat(chunks).toString('latin1'),
    close: async () => {
      for (const socket of connections) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A client that remembers what it received and how it ended. */
export interface TestClient {
  socket: Socket
  received(): string
  /** 'ECONNRESET', 'ECONNREFUSED', ... when it failed, 'end' when it was closed in order, undefined while it lives. */
  ended(): string | undefined
}

export function dial(port: number): TestClient {
  const chunks: Buffer[] = []
  let ended: string | undefined
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', (error: NodeJS.ErrnoException) => {
    ended = error.code ?? error.message
  })
  socket.on('close', () => {
    ended ??= 'end'
  })
  return { socket, received: () => Buffer.concat(chunks).toString('latin1'), ended: () => ended }
}
