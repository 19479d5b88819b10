import { z } from 'zod'
import { duration, filePath, integer, size, text } from '../fields.ts'

const host = text('Address to listen on; `0.0.0.0` or `::` for every interface.', '0.0.0.0').prefault('127.0.0.1')
const port = (standard: number) =>
  integer('Port to listen on; 0 = any free one.', { min: 0, max: 65_535 }).prefault(standard)
const path = text('Path of the WebSocket endpoint.', '/mqtt').prefault('/mqtt')

const certificates = {
  cert: filePath("The listener's certificate with its chain, PEM.", '/etc/tidegate/tls/server.crt'),
  key: filePath('Private key of the certificate, PEM.', '/etc/tidegate/tls/server.key'),
  ca: filePath(
    'Certificate authority, PEM: when set, every client must present a certificate signed by it.',
    '/etc/tidegate/tls/clients-ca.crt',
  ).optional(),
}

const listener = z.discriminatedUnion(
  'kind',
  [
    z
      .strictObject({ kind: z.literal('tcp'), host, port: port(1883) })
      .meta({ title: 'tcp', description: 'MQTT over plain TCP.' }),
    z
      .strictObject({ kind: z.literal('tls'), host, port: port(8883), ...certificates })
      .meta({ title: 'tls', description: 'MQTT over TLS.' }),
    z
      .strictObject({ kind: z.literal('ws'), host, port: port(8080), path })
      .meta({ title: 'ws', description: 'MQTT over WebSocket.' }),
    z
      .strictObject({ kind: z.literal('wss'), host, port: port(8443), path, ...certificates })
      .meta({ title: 'wss', description: 'MQTT over WebSocket over TLS.' }),
    z
      .strictObject({
        kind: z.literal('unix'),
        path: filePath('Socket file; who may connect is up to the rights of its folder.', '/run/tidegate/mqtt.sock'),
      })
      .meta({ title: 'unix', description: 'MQTT over a Unix domain socket, for processes on the same machine.' }),
  ],
  { error: 'one of tcp, tls, ws, wss, unix' },
)

const limits = z.strictObject({
  maxConnections: integer('Connections in all; the next one is closed at once.', { min: 1 }).prefault(10_000),
  maxConnectionsPerAddress: integer('Connections from one address, so that one broken client costs only itself.', {
    min: 1,
  }).prefault(1000),
  maxPacket: size('Largest MQTT packet; a client that announces a larger one is disconnected before it is buffered.', {
    min: 1024,
    max: 268_435_455,
  }).prefault('256KiB'),
  maxTopicBytes: integer('Longest topic, in bytes of UTF-8.', { min: 1, max: 65_535 }).prefault(1024),
  maxClientIdBytes: integer('Longest client id, in bytes of UTF-8.', { min: 23, max: 65_535 }).prefault(256),
  connectTimeout: duration('How long a fresh connection may take to send its CONNECT.', { min: 100 }).prefault('5s'),
  keepaliveLimit: duration(
    'Longest keep-alive a client may ask for; one that asks for more, or for none, is held to this.',
    { min: 1000, max: 65_535_000 },
  ).prefault('1h'),
  receiveMaximum: integer(
    'MQTT 5: publishes of QoS 1 and 2 that a client may have without an answer. Clients keep to it by themselves; one that does not is not read until it has answers.',
    { min: 1, max: 65_535 },
  ).prefault(256),
  topicAliases: integer('MQTT 5: topics that a client may number, so that it need not name them again.', {
    min: 0,
    max: 65_535,
  }).prefault(32),
  sessionExpiry: duration(
    'MQTT 5: how long the session of a client that has left is kept, with what waits for it. One that asks for more is told.',
    { min: 0, max: 2_073_600_000 },
  ).prefault('1d'),
  maxFilters: integer('Topic filters in one SUBSCRIBE.', { min: 1 }).prefault(100),
  slowReader: size(
    'Bytes that may wait for a subscriber that reads too slowly; beyond this, messages to it are dropped and counted.',
    { min: 1024 },
  ).prefault('1MiB'),
  drainTimeout: duration('How long a subscriber may refuse to take any byte before it is disconnected.', {
    min: 100,
  }).prefault('5s'),
})

/** Where devices connect, and what one of them may ask for. */
export const mqtt = z
  .strictObject({
    listeners: z
      .array(listener)
      .min(1)
      .prefault([{ kind: 'tcp', host: '127.0.0.1', port: 1883 }])
      .meta({
        description:
          'Where devices connect. Only this machine by default: open it to the network by setting `host`, and put TLS or a private network around it.',
        'x-type': 'list of listeners',
      }),
    serverReference: text(
      'MQTT 5: where devices are sent, `host:port`, when this gateway hands over to its peers or stops: the address at which devices reach a peer. Without it they go to the next address of their own list.',
      'gw-2.example.org:1883',
    ).optional(),
    directWay: z.boolean().prefault(true).meta({
      description:
        'Publishes of MQTT 3.1.1 with QoS 0 or 1 go past the MQTT library, at up to three times its speed. What devices see is the same without it: to compare, and to rule it out when something is odd.',
    }),
    limits: limits.prefault({}).meta({ description: 'What one client, and all together, may ask for.' }),
  })
  .prefault({})
  .meta({ description: 'Where devices connect (MQTT 3.1.1 and 5), and what one of them may ask for.' })
