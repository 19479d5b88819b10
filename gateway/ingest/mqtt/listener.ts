import { readFile, unlink } from 'node:fs/promises'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer as createTcpServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { describeError, type Millis, OperatorError } from '../../../sync/contract/index.ts'
import type { Admission } from './admission.ts'
import type { MqttCounters } from './observation.ts'
import type { ListenerSettings, TlsFiles } from './settings.ts'
import { tcpWire } from './tcp-wire.ts'
import { type AttachWire, serveWebSockets } from './websocket.ts'
import { streamWire } from './wire.ts'

/** Where a listener can be reached, with the actual port. */
export interface ListenerAddress {
  kind: ListenerSettings['kind']
  /** For clients: `mqtt://127.0.0.1:1883`, `mqtts:`, `ws:`, `wss:`, or `unix:/run/mqtt.sock`. */
  url: string
  /** 0 for a Unix-domain socket. */
  port: number
}

export interface Listener {
  readonly address: ListenerAddress
  /** Accepts no more; connections live on. */
  close(): Promise<void>
}

export interface ListenerOptions {
  admission: Admission
  counters: MqttCounters
  /** Time for the TLS handshake, and again for the WebSocket upgrade. */
  connectTimeout: Millis
  /** Largest WebSocket message. */
  maxMessageBytes: number
  /** Gets every connection that is ready to speak MQTT. */
  attach: AttachWire
}

const SCHEMES = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss', unix: 'unix' } as const
const KEEPALIVE = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const

/**
 * Opens one listener. Sockets are counted and capped when they are accepted, before TLS or HTTP.
 *
 * @throws OperatorError `MQTT_LISTEN_FAILED`, `MQTT_TLS_FILE_UNREADABLE`, `MQTT_TLS_INVALID`
 */
export async function openListener(settings: ListenerSettings, options: ListenerOptions): Promise<Listener> {
  const server = await createServer(settings, options)
  const { kind } = settings
  if (kind === 'unix') await removeStaleSocket(settings.path)
  await listen(server, kind === 'unix' ? { path: settings.path } : { host: settings.host, port: settings.port }, kind)
  return {
    address: addressOf(settings, server),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function createServer(settings: ListenerSettings, options: ListenerOptions): Promise<Server> {
  const { admission, attach, counters, connectTimeout } = options
  // For HTTP; Node looks at these only once in an interval, by default every 30 s.
  const deadlines = {
    headersTimeout: connectTimeout,
    requestTimeout: connectTimeout,
    keepAliveTimeout: connectTimeout,
    connectionsCheckingInterval: Math.min(connectTimeout, 1_000),
  }
  switch (settings.kind) {
    case 'tcp':
    case 'unix':
      // Nothing is read before the wire does.
      return createTcpServer({ ...KEEPALIVE, pauseOnConnect: true }, (accepted) => {
        const wire = tcpWire(accepted)
        if (admission.admit(wire.stream)) attach(wire, peerOf(wire.stream))
      })
    case 'tls': {
      const server = withTls(settings.tls, await readTls(settings.tls), (tls) =>
        createTlsServer({ ...KEEPALIVE, ...tls, handshakeTimeout: connectTimeout }),
      )
      server.on('connection', (socket) => admission.admit(socket))
      server.on('secureConnection', (socket) => attach(streamWire(socket), peerOf(socket)))
      server.on('tlsClientError', (_error, socket) => refuseTls(counters, socket))
      return server
    }
    case 'ws':
      return serveHttp(createHttpServer({ ...KEEPALIVE, ...deadlines }), options)
    case 'wss': {
      const server = withTls(settings.tls, await readTls(settings.tls), (tls) =>
        createHttpsServer({ ...KEEPALIVE, ...tls, ...deadlines, handshakeTimeout: connectTimeout }),
      )
      server.on('tlsClientError', (_error, socket) => refuseTls(counters, socket))
      return serveHttp(server, options)
    }
  }
}

function serveHttp(server: HttpServer, options: ListenerOptions): HttpServer {
  server.on('connection', (socket: Socket) => options.admission.admit(socket))
  serveWebSockets(server, options)
  return server
}

function refuseTls(counters: MqttCounters, socket: TLSSocket): void {
  counters.increment('connections.refused.tls')
  // A handshake that timed out is reported here, but not ended.
  socket.destroy()
}

async function readTls(files: TlsFiles): Promise<TlsOptions> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(path)
    } catch (cause) {
      throw new OperatorError('MQTT_TLS_FILE_UNREADABLE', `expected a readable PEM file at '${path}'`, { cause })
    }
  }
  const [cert, key, ca] = await Promise.all([
    read(files.certFile),
    read(files.keyFile),
    files.caFile === undefined ? undefined : read(files.caFile),
  ])
  if (ca === undefined) return { cert, key }
  return { cert, key, ca, requestCert: true, rejectUnauthorized: true }
}

function withTls<S>(files: TlsFiles, tls: TlsOptions, create: (tls: TlsOptions) => S): S {
  try {
    return create(tls)
  } catch (cause) {
    const message = `expected a certificate and its key in '${files.certFile}' and '${files.keyFile}': ${describeError(cause)}`
    throw new OperatorError('MQTT_TLS_INVALID', message, { cause })
  }
}

function listen(server: Server, where: ListenOptions, kind: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      const place = where.path ?? `${where.host}:${where.port}`
      const message = `expected to listen for ${kind} on ${place}, came: ${cause.message}; is another program there?`
      reject(new OperatorError('MQTT_LISTEN_FAILED', message, { cause }))
    }
    server.once('error', fail)
    server.listen(where, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

/** A Unix-domain socket outlives a process that was killed: remove it if nobody answers there. */
async function removeStaleSocket(path: string): Promise<void> {
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (refused) await unlink(path)
}

function addressOf(settings: ListenerSettings, server: Server): ListenerAddress {
  const { kind } = settings
  if (kind === 'unix') return { kind, url: `unix:${settings.path}`, port: 0 }
  const actual = server.address()
  const port = typeof actual === 'object' && actual !== null ? actual.port : settings.port
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  return { kind, url: `${SCHEMES[kind]}://${host}:${port}`, port }
}

const peerOf = (socket: Socket): string => `${socket.remoteAddress ?? 'local'}:${socket.remotePort ?? 0}`
