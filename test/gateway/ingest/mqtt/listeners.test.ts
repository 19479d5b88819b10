import { execFileSync } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { connect as connectTcp, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { type IClientOptions, MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { ListenerSettings, TlsFiles } from '../../../../gateway/ingest/mqtt/index.ts'
import { connectPacket, disconnectPacket, pingreqPacket, publishPacket } from './support/packets.ts'
import { PATIENCE, RawClient } from './support/raw-client.ts'
import { startTestServer } from './support/server.ts'

let folder: string
let tls: TlsFiles
const host = '127.0.0.1'

/** A self-signed certificate, made anew for each run: no key is ever committed. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-tls-'))
  tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', tls.keyFile]
  execFileSync('openssl', ['req', '-x509', ...key, '-out', tls.certFile, '-days', '1', ...subject], { stdio: 'ignore' })
})
afterAll(() => rm(folder, { recursive: true }))

const insecure: IClientOptions = { rejectUnauthorized: false }

describe('every kind of listener', () => {
  const kinds: Array<[kind: ListenerSettings['kind'], settings: () => ListenerSettings, scheme: RegExp]> = [
    ['tcp', () => ({ kind: 'tcp', host, port: 0 }), /^mqtt:\/\/127\.0\.0\.1:\d+$/],
    ['tls', () => ({ kind: 'tls', host, port: 0, tls }), /^mqtts:\/\/127\.0\.0\.1:\d+$/],
    ['ws', () => ({ kind: 'ws', host, port: 0 }), /^ws:\/\/127\.0\.0\.1:\d+$/],
    ['wss', () => ({ kind: 'wss', host, port: 0, tls }), /^wss:\/\/127\.0\.0\.1:\d+$/],
  ]

  test.each(kinds)('%s serves mqtt.js, QoS 0 to 2, both ways, large payloads too', async (kind, settings, scheme) => {
    const { server, client, acceptor } = await startTestServer({ listeners: [settings()] })
    expect(server.addresses[0]).toMatchObject({ kind, url: expect.stringMatching(scheme) })
    const got: string[] = []
    const device = await client(insecure)
    device.on('message', (_topic, payload) => got.push(`${payload.length}`))
    await device.subscribeAsync('a/#', { qos: 2 })
    for (const qos of [0, 1, 2] as const) await device.publishAsync('a/b', 'x'.repeat(qos * 100_000), { qos })
    await expect.poll(() => got.sort(), PATIENCE).toEqual(['0', '100000', '200000'])
    expect(acceptor.received.map(({ qos }) => qos)).toEqual([0, 1, 2])
    expect(server.connections()).toBe(1)
    await device.endAsync()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('unix serves mqtt.js, and takes the place of a socket that a killed process left behind', async () => {
    const path = join(folder, 'mqtt.sock')
    const abandon = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    expect(() => execFileSync(process.execPath, ['-e', abandon], { stdio: 'ignore' })).toThrow()
    await access(path)
    const { server, acceptor } = await startTestServer({ listeners: [{ kind: 'unix', path }] })
    expect(server.addresses).toEqual([{ kind: 'unix', url: `unix:${path}`, port: 0 }])
    const device = new MqttClient(() => connectTcp(path), { reconnectPeriod: 0, clientId: 'd' })
    onTestFinished(async () => {
      await device.endAsync(true)
    })
    await device.publishAsync('a', 'x', { qos: 1 })
    expect(acceptor.texts()).toEqual(['x'])
    await expect(startTestServer({ listeners: [{ kind: 'unix', path }] })).rejects.toMatchObject({
      code: 'MQTT_LISTEN_FAILED',
    })
  })

  test('several listeners share one broker', async () => {
    const listeners: ListenerSettings[] = [
      { kind: 'tcp', host, port: 0 },
      { kind: 'ws', host, port: 0 },
    ]
    const { client } = await startTestServer({ listeners })
    const got: string[] = []
    const dashboard = await client({}, 1)
    dashboard.on('message', (_topic, payload) => got.push(payload.toString()))
    await dashboard.subscribeAsync('#')
    await (await client({}, 0)).publishAsync('a', 'x', { qos: 1 })
    await expect.poll(() => got, PATIENCE).toEqual(['x'])
  })

  test.each([
    ['tls', () => ({ kind: 'tls', host, port: 0, tls }) as const],
    ['wss', () => ({ kind: 'wss', host, port: 0, tls }) as const],
  ])('%s: a peer that does not speak TLS, or says nothing, is cut', async (_kind, settings) => {
    const { open, count, server } = await startTestServer({ listeners: [settings()], limits: { connectTimeout: 200 } })
    const plain = await open()
    plain.send(connectPacket())
    await plain.whenClosed()
    const silent = await open()
    await silent.whenClosed()
    expect(count('connections.refused.tls')).toBe(2)
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('with an authority configured, a client without a certificate is refused, one with it is served', async () => {
    const { client, count } = await startTestServer({
      listeners: [{ kind: 'tls', host, port: 0, tls: { ...tls, caFile: tls.certFile } }],
    })
    await expect(client(insecure)).rejects.toThrow()
    expect(count('connections.refused.tls')).toBe(1)
    const device = await client({ ...insecure, cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) })
    await device.publishAsync('a', 'x', { qos: 1 })
  })

  test('a publish in a TLS record right behind CONNECT waits for the authentication, and keeps its place', async () => {
    const { port, acceptor } = await startTestServer({
      listeners: [{ kind: 'tls', host, port: 0, tls }],
      access: { authenticate: (_id, username) => username === 'right' },
    })
    for (const username of ['wrong', 'right']) {
      for (let n = 0; n < 20; n++) {
        const socket = connectTls({ host, port, rejectUnauthorized: false })
        await new Promise((resolve) => socket.once('secureConnect', resolve))
        const [a, b, c] = ['a', 'b', 'c'].map((payload) => publishPacket({ payload: `${username}-${n}-${payload}` }))
        for (const record of [connectPacket({ clientId: 'd', username }), a, b, c, disconnectPacket])
          socket.write(record ?? '')
        socket.on('error', () => socket.destroy())
        socket.resume()
        await new Promise((resolve) => socket.once('close', resolve))
      }
    }
    await expect.poll(() => acceptor.received.length, PATIENCE).toBe(60)
    expect(acceptor.texts()).toEqual(Array.from({ length: 60 }, (_, i) => `right-${Math.floor(i / 3)}-${'abc'[i % 3]}`))
    expect(new Set(acceptor.received.map(({ clientId }) => clientId))).toEqual(new Set(['d']))
  })

  test('TLS after the handshake has the connect timeout too', async () => {
    const { port, count } = await startTestServer({
      listeners: [{ kind: 'tls', host, port: 0, tls }],
      limits: { connectTimeout: 200 },
    })
    const socket = connectTls({ host, port, rejectUnauthorized: false })
    await new Promise((resolve) => socket.once('close', resolve))
    expect(count('connections.timedOut')).toBe(1)
  })
})

describe('WebSocket', () => {
  const listeners: ListenerSettings[] = [{ kind: 'ws', host, port: 0 }]
  const closeOf = (socket: WebSocket): Promise<number> =>
    new Promise((resolve) => {
      socket.on('error', () => undefined)
      socket.on('close', resolve)
    })

  test('text frames are a violation (MQTT-6.0.0-1)', async () => {
    const { server, count, acceptor } = await startTestServer({ listeners })
    const socket = new WebSocket(server.addresses[0]?.url ?? '', 'mqtt')
    socket.on('open', () => socket.send(connectPacket().toString('latin1')))
    await closeOf(socket)
    expect(count('violations.FRAME_NOT_BINARY')).toBe(1)
    expect(acceptor.received).toEqual([])
  })

  test('packets may be cut anywhere into messages (MQTT-6.0.0-2)', async () => {
    const { server } = await startTestServer({ listeners })
    const socket = new WebSocket(server.addresses[0]?.url ?? '', ['other', 'mqtt'])
    onTestFinished(() => socket.terminate())
    const got: Buffer[] = []
    socket.on('message', (data: Buffer) => got.push(data))
    socket.on('open', () => {
      for (const byte of Buffer.concat([connectPacket(), pingreqPacket])) socket.send(Buffer.from([byte]))
    })
    await expect.poll(() => Buffer.concat(got), PATIENCE).toEqual(Buffer.from([0x20, 2, 0, 0, 0xd0, 0]))
    expect(socket.protocol).toBe('mqtt')
    expect(socket.extensions).toBe('')
  })

  test('a message larger than the largest packet is refused', async () => {
    const { server } = await startTestServer({ listeners, limits: { maxPublishBytes: 1000 } })
    const socket = new WebSocket(server.addresses[0]?.url ?? '', 'mqtt')
    socket.on('open', () => socket.send(Buffer.alloc(200_000)))
    expect(await closeOf(socket)).toBe(1009)
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('another subprotocol, or none, is refused', async () => {
    const { server, count } = await startTestServer({ listeners })
    for (const protocols of [['chat'], []]) {
      await closeOf(new WebSocket(server.addresses[0]?.url ?? '', protocols))
    }
    expect(count('connections.refused.upgrade')).toBe(2)
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
  })

  test('a plain request is told what to do', async () => {
    const { port } = await startTestServer({ listeners })
    const status = await new Promise((resolve, reject) => {
      get({ host, port }, (response) => {
        response.resume()
        resolve(response.statusCode)
      }).on('error', reject)
    })
    expect(status).toBe(426)
  })

  test('a peer that never upgrades is cut', async () => {
    const { open, server } = await startTestServer({ listeners, limits: { connectTimeout: 200 } })
    const silent = await open()
    const slow = await open()
    slow.send(Buffer.from('GET /mqtt HTTP/1.1\r\nHost: x\r\n'))
    await silent.whenClosed()
    await slow.whenClosed()
    expect(server.connections()).toBe(0)
  }, 60_000)

  test('a client that vanishes is noticed, its will published', async () => {
    const { server, acceptor } = await startTestServer({ listeners })
    const socket = new WebSocket(server.addresses[0]?.url ?? '', 'mqtt')
    socket.on('open', () => socket.send(connectPacket({ will: { topic: 'w', payload: 'gone' } })))
    await new Promise((resolve) => socket.once('message', resolve))
    socket.terminate()
    await expect.poll(() => acceptor.texts(), PATIENCE).toEqual(['gone'])
  })
})

describe('connection caps', () => {
  test('in all: one too many is closed, and a place that is left can be taken', async () => {
    const { raw, open, count, server } = await startTestServer({ limits: { maxConnections: 3 } })
    const clients = await Promise.all([0, 1, 2].map((n) => raw({ clientId: `c${n}` })))
    const refused = await open()
    await refused.whenClosed()
    expect(count('connections.refused.total')).toBe(1)
    expect(server.connections()).toBe(3)
    clients[0]?.destroy()
    await expect.poll(() => server.connections(), PATIENCE).toBe(2)
    await raw({ clientId: 'c4' })
  })

  test('per remote address', async () => {
    const { raw, open, port, count } = await startTestServer({ limits: { maxConnectionsPerAddress: 2 } })
    await raw({ clientId: 'a' })
    await raw({ clientId: 'b' })
    const refused = await open()
    await refused.whenClosed()
    expect(count('connections.refused.address')).toBe(1)
    const elsewhere = await RawClient.open({ host, port, localAddress: '127.0.0.2' })
    onTestFinished(() => elsewhere.destroy())
    elsewhere.send(connectPacket({ clientId: 'c' }))
    await elsewhere.next(2)
  })

  test('before TLS and before HTTP', async () => {
    const listeners: ListenerSettings[] = [
      { kind: 'tls', host, port: 0, tls },
      { kind: 'ws', host, port: 0 },
    ]
    const { server, count } = await startTestServer({ listeners, limits: { maxConnections: 0 } })
    for (const { port } of server.addresses) {
      const refused = await RawClient.open({ host, port })
      await refused.whenClosed()
    }
    expect(count('connections.refused.total')).toBe(2)
    expect(count('connections.accepted')).toBe(0)
  })

  test('per second', async () => {
    const { open, count } = await startTestServer({ limits: { maxConnectionRate: 5 } })
    const clients = await Promise.all(Array.from({ length: 50 }, () => open()))
    await expect.poll(() => clients.filter((client) => client.closed).length, PATIENCE).toBeGreaterThan(20)
    expect(count('connections.refused.rate')).toBeGreaterThan(20)
    expect(count('connections.accepted')).toBeGreaterThanOrEqual(5)
  })
})

describe('what cannot be opened', () => {
  test('a port that is taken says so, and the listeners opened before it are closed again', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, host, resolve))
    onTestFinished(() => {
      other.close()
    })
    const taken = other.address()
    const port = typeof taken === 'object' && taken !== null ? taken.port : 0
    const path = join(folder, 'first.sock')
    const starting = startTestServer({
      listeners: [
        { kind: 'unix', path },
        { kind: 'tcp', host, port },
      ],
    })
    await expect(starting).rejects.toMatchObject({
      code: 'MQTT_LISTEN_FAILED',
      message: expect.stringContaining(`${port}`),
    })
    await expect(access(path)).rejects.toThrow()
  })

  test('a missing or useless certificate says so', async () => {
    const missing = { ...tls, certFile: join(folder, 'missing.pem') }
    await expect(startTestServer({ listeners: [{ kind: 'tls', host, port: 0, tls: missing }] })).rejects.toMatchObject({
      code: 'MQTT_TLS_FILE_UNREADABLE',
    })
    const useless = { ...tls, certFile: join(folder, 'useless.pem') }
    await writeFile(useless.certFile, 'not a certificate')
    await expect(startTestServer({ listeners: [{ kind: 'wss', host, port: 0, tls: useless }] })).rejects.toMatchObject({
      code: 'MQTT_TLS_INVALID',
    })
  })
})
