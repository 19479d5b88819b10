import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { Bytes } from '../../../sync/contract/index.ts'
import { type GuardedSocket, textFrameViolation } from './guarded-socket.ts'
import type { MqttCounters } from './observation.ts'
import { streamWire, type Wire } from './wire.ts'

/** Gives a connection to the broker. */
export type AttachWire = (wire: Wire, peer: string) => GuardedSocket

export interface WebSocketOptions {
  counters: MqttCounters
  maxMessageBytes: Bytes
  attach: AttachWire
}

/** Subprotocols of MQTT 3.1.1 (MQTT-6.0.0-3, -4) and of 3.1 before it was a standard. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'] as const

/** Serves MQTT over WebSocket (MQTT 3.1.1 §6) on any path of an HTTP server; plain requests get 426. */
export function serveWebSockets(server: Server, options: WebSocketOptions): void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxMessageBytes,
    // Compression is memory and CPU that the client decides about, and readings are small.
    perMessageDeflate: false,
    handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  })
  server.on('request', (_request, response: ServerResponse) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' })
    response.end('MQTT over WebSocket is served here: upgrade with the subprotocol mqtt\n')
  })
  server.on('upgrade', (request, socket: Duplex, head) => {
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
    if (!SUBPROTOCOLS.some((name) => offered.includes(name))) {
      options.counters.increment('connections.refused.upgrade')
      socket.on('error', () => socket.destroy())
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const { remoteAddress, remotePort } = request.socket
    sockets.handleUpgrade(request, socket as Socket, head, (webSocket) => {
      attachWebSocket(webSocket, `${remoteAddress}:${remotePort}`, options.attach)
    })
  })
}

function attachWebSocket(webSocket: WebSocket, peer: string, attach: AttachWire): void {
  let connection: GuardedSocket | null = null
  // Before the stream's own listener, so that not a byte of a text frame gets to the guard.
  webSocket.on('message', (_data, isBinary) => {
    if (!isBinary) connection?.refuse(textFrameViolation)
  })
  connection = attach(streamWire(createWebSocketStream(webSocket)), peer)
}
