import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mqttPeerDialer, type PeerSettings } from '../../../../gateway/failover/link/index.ts'
import { StopAcceptingError } from '../../../../sync/contract/index.ts'
import {
  connectPacket,
  disconnectPacket,
  pubackPacket,
  publishPacket,
  subscribePacket,
} from '../../ingest/mqtt/support/packets.ts'
import { PATIENCE } from '../../ingest/mqtt/support/raw-client.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../../ingest/mqtt/support/server.ts'
import { dialled, Host, Outcome } from './support.ts'

const SECRET = 'a secret of the site'
const CONNACK = 2
const PUBLISH = 3
const PUBACK = 4
const SUBACK = 9
const asPeer = { clientId: '@peer/gw-a', username: '@peer/gw-a', password: SECRET }

async function setUp(options: TestServerOptions = {}) {
  const test = await startTestServer({ peers: { secret: SECRET, peers: [{ gateway: 'gw-a' }] }, ...options })
  const host = new Host(test.server.peers)
  host.auto = true
  return { ...test, host }
}

function dialer({ server }: TestServer, settings: Partial<PeerSettings> = {}, ca?: string) {
  const url = server.addresses[0]?.url ?? ''
  const address = ca === undefined ? { gateway: 'gw-b', url } : { gateway: 'gw-b', url, ca }
  return mqttPeerDialer({
    gateway: 'gw-a',
    secret: SECRET,
    peers: [address],
    dialTimeout: 3000,
    keepAlive: 2000,
    ...settings,
  })
}

const refusal = (why: RegExp) => ({ code: 'PEER_DIAL_FAILED', message: expect.stringMatching(why) })

describe('who may be a peer', () => {
  it('is a gateway that is configured and knows the secret', async () => {
    const test = await setUp()
    const dial = (settings: Partial<PeerSettings>) => dialer(test, settings).dial('gw-b', new AbortController().signal)
    await expect(dial({ secret: 'another secret, as long' })).rejects.toMatchObject(refusal(/Not authorized/))
    await expect(dial({ gateway: 'gw-x' })).rejects.toMatchObject(refusal(/Not authorized/))
    expect(test.count('clients.authenticationFailed')).toBe(2)
    expect(test.host.sessions).toEqual([])
    await dialled(dialer(test))
    expect(test.host.sessions.length).toBe(1)
  })

  it('is nobody where there are no peers', async () => {
    const test = await startTestServer()
    new Host(test.server.peers)
    for (const secret of [SECRET, ''])
      await expect(dialer(test, { secret }).dial('gw-b', new AbortController().signal)).rejects.toMatchObject(
        refusal(/Not authorized/),
      )
  })

  it.each([
    ['a device with the client id of a peer', { clientId: '@peer/gw-a' }],
    ['one with another user name', { ...asPeer, username: 'device' }],
    ['one with the user name and the secret of a peer, under another client id', { ...asPeer, clientId: 'd' }],
    ['one without a password', { clientId: '@peer/gw-a', username: '@peer/gw-a' }],
    ['a client id that no peer has', { ...asPeer, clientId: '@peer/', username: '@peer/' }],
  ])('is not %s, and a peer that is there stays', async (_, connect) => {
    const test = await setUp()
    const session = await dialled(dialer(test))
    const client = await test.open()
    client.send(connectPacket(connect))
    expect((await client.next(CONNACK)).body[1]).toBe(5)
    await client.whenClosed()
    await session.send(Buffer.from('still here'))
    expect(test.host.texts()).toEqual(['still here'])
  })

  it('is asked before, and instead of, the rules for devices', async () => {
    const test = await setUp({ access: { authenticate: () => false, mayReceive: () => false } })
    const session = await dialled(dialer(test))
    await session.send(Buffer.from('x'))
    expect(test.host.texts()).toEqual(['x'])
  })

  it('works for any name that a gateway can have', async () => {
    const gateway = 'halle 1/gw#+ä'
    const test = await setUp({ peers: { secret: SECRET, peers: [{ gateway }] } })
    const session = await dialled(dialer(test, { gateway }))
    await session.send(Buffer.from('x'))
    expect(test.host.sessions[0]?.peer).toBe(gateway)
  })
})

describe('a device', () => {
  it('publishes under $tidegate to nobody', async () => {
    const test = await setUp()
    const session = await dialled(dialer(test))
    const heard: Buffer[] = []
    session.onMessage((message) => heard.push(message))
    const device = await test.raw()
    for (const [n, topic] of ['$tidegate/gw-a/up', '$tidegate/gw-a/down', '$tidegate'].entries()) {
      device.send(publishPacket({ topic, qos: 1, id: n + 1 }))
      device.send(publishPacket({ topic, qos: 1, id: n + 11, retain: true }))
    }
    await expect.poll(() => device.ids(PUBACK), PATIENCE).toEqual([1, 11, 2, 12, 3, 13])
    await session.send(Buffer.from('x'))
    expect(test.host.texts()).toEqual(['x'])
    expect(heard).toEqual([])
    expect(test.acceptor.texts()).toEqual([])
    expect(test.count('publishes.reserved')).toBe(6)
  })

  it('cannot subscribe there, nor listen with wildcards', async () => {
    const test = await setUp()
    const device = await test.raw()
    device.send(
      subscribePacket(['$tidegate/#', '$tidegate/gw-a/down', '$tidegate', '#', '+/gw-a/down', '+/gw-a/up'], 1),
    )
    expect([...(await device.next(SUBACK)).body.subarray(2)]).toEqual([0x80, 0x80, 0x80, 1, 1, 1])
    test.host.onHeard = (session, message) => session.send(Buffer.from(message))
    const session = await dialled(dialer(test))
    const heard: Buffer[] = []
    session.onMessage((message) => heard.push(message))
    await session.send(Buffer.from('secret'))
    expect(heard.length).toBe(1)
    device.send(publishPacket({ topic: 'a', payload: 'mine', qos: 1, id: 7 }))
    const { body } = await device.next(PUBLISH)
    expect(body.toString()).toContain('mine')
    expect(device.packets.filter(({ type }) => type === PUBLISH)).toEqual([])
  })

  it('still may not send more than a device may', async () => {
    const test = await setUp()
    await dialled(dialer(test))
    const device = await test.raw()
    device.send(publishPacket({ payload: Buffer.alloc(300 * 1024), qos: 1 }))
    await device.whenClosed()
    expect(test.count('violations.PACKET_TOO_LARGE')).toBe(1)
  })
})

describe('a peer', () => {
  async function rawPeer(options: TestServerOptions = {}) {
    const test = await setUp(options)
    const peer = await test.raw(asPeer)
    peer.send(subscribePacket(['$tidegate/gw-a/down']))
    await peer.next(SUBACK)
    return { ...test, peer }
  }
  const up = { topic: '$tidegate/gw-a/up', qos: 1 }

  it('subscribes to its answers only', async () => {
    const { peer } = await rawPeer()
    peer.send(subscribePacket(['sensors/#', '$tidegate/gw-b/down', '$tidegate/gw-a/+'], 0, 2))
    expect([...(await peer.next(SUBACK)).body.subarray(2)]).toEqual([0x80, 0x80, 0x80])
  })

  it.each([
    ['a reading', { topic: 'sensors/a/t', qos: 1 }],
    ['a message of another', { topic: '$tidegate/gw-b/up', qos: 1 }],
    ['one that asks for no answer', { ...up, qos: 0 }],
    ['one that is to be retained', { ...up, retain: true }],
    ['one with QoS 2', { ...up, qos: 2 }],
  ])('is cut when it publishes %s', async (_, publish) => {
    const { peer, acceptor, host } = await rawPeer()
    peer.send(publishPacket({ ...publish, id: 5 }))
    await peer.whenClosed()
    expect(peer.ids(PUBACK)).toEqual([])
    expect(acceptor.texts()).toEqual([])
    expect(host.texts()).toEqual([])
    expect(await host.sessions[0]?.closed).toBeInstanceOf(Error)
  })

  it('has no session before it listens', async () => {
    const { host, raw } = await setUp()
    const peer = await raw(asPeer)
    peer.send(publishPacket({ ...up, id: 5 }))
    await peer.whenClosed()
    expect(host.sessions).toEqual([])
  })

  it('leaves no will', async () => {
    const { acceptor, open, server } = await setUp()
    const peer = await open()
    peer.send(connectPacket({ ...asPeer, will: { topic: 'sensors/a/t', payload: 'gone' } }))
    await peer.next(CONNACK)
    peer.destroy()
    await expect.poll(() => server.connections(), PATIENCE).toBe(0)
    expect(acceptor.texts()).toEqual([])
  })

  it('may take its leave, which is no failure', async () => {
    const { peer, host } = await rawPeer()
    peer.send(disconnectPacket)
    expect(await host.sessions[0]?.closed).toBeNull()
  })

  it('is told apart from a peer whose connection breaks', async () => {
    const { peer, host } = await rawPeer()
    peer.destroy()
    expect(await host.sessions[0]?.closed).toBeInstanceOf(Error)
  })

  it('gets its answers, however many, in whole packets between the acknowledgements', async () => {
    const { peer, host } = await rawPeer()
    host.onHeard = (session, message) => session.send(Buffer.concat([message, Buffer.alloc(70_000)]))
    peer.send(...Array.from({ length: 50 }, (_, n) => publishPacket({ ...up, id: n + 1, payload: `m${n}` })))
    await expect.poll(() => peer.ids(PUBACK).length, PATIENCE).toBe(50)
    const answers = peer.packets.filter(({ type }) => type === PUBLISH).map(({ body }) => body)
    expect(answers.length).toBe(50)
    for (const [n, body] of answers.entries()) {
      const end = 2 + body.readUInt16BE(0)
      expect(body.toString('latin1', 2, end)).toBe('$tidegate/gw-a/down')
      expect(body.toString('latin1', end, end + 2 + String(n).length)).toMatch(`m${n}`)
    }
  })

  it('is cut when it does not read what it is told', async () => {
    const { peer, host } = await rawPeer()
    peer.socket.pause()
    const [session] = host.sessions
    const over = new Outcome(session?.closed ?? Promise.resolve(null))
    for (let n = 0; n < 200 && over.state === 'open'; n++) {
      session?.send(Buffer.alloc(1024 * 1024))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await session?.closed).toMatchObject({ code: 'MQTT_PEER_STUCK' })
  })

  it('is not acknowledged what is done after its connection is gone, and nothing waits for that', async () => {
    const { peer, host, server } = await rawPeer({ limits: { closeGrace: 20_000 } })
    host.auto = false
    peer.send(publishPacket({ ...up, id: 5 }))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(1)
    peer.destroy()
    await host.sessions[0]?.closed
    const started = performance.now()
    await server.close()
    expect(performance.now() - started).toBeLessThan(10_000)
    host.heard[0]?.done(null)
    host.heard[0]?.done(new StopAcceptingError('TEST', 'late'))
  })

  it('is answered what is under way when the gateway stops', async () => {
    const { peer, host, server } = await rawPeer()
    host.auto = false
    peer.send(publishPacket({ ...up, id: 5 }))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(1)
    const closed = server.close()
    host.heard[0]?.done(null)
    await closed
    expect(peer.ids(PUBACK)).toEqual([5])
    peer.send(pubackPacket(1))
  })
})

describe('a session over TLS', () => {
  it('stands when the certificate is of the authority that was given, and only then', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidegate-peer-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
    const subject = ['-subj', '/CN=gw-b', '-addext', 'subjectAltName=IP:127.0.0.1']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', tls.keyFile]
    execFileSync('openssl', ['req', '-x509', ...key, '-out', tls.certFile, '-days', '1', ...subject], {
      stdio: 'ignore',
    })
    const test = await setUp({ listeners: [{ kind: 'tls', host: '127.0.0.1', port: 0, tls }] })
    await expect(dialer(test).dial('gw-b', new AbortController().signal)).rejects.toMatchObject(refusal(/self-signed/))
    const session = await dialled(dialer(test, {}, await readFile(tls.certFile, 'utf8')))
    await session.send(Buffer.from('x'))
    expect(test.host.texts()).toEqual(['x'])
  })
})

describe('a peer that says nothing', () => {
  it('is given up while it is dialled', async () => {
    const mute = createServer()
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void mute.close())
    const at = mute.address()
    const url = `mqtt://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`
    const peers = [{ gateway: 'gw-b', url }]
    const dialling = mqttPeerDialer({ gateway: 'gw-a', secret: SECRET, peers, dialTimeout: 200, keepAlive: 2000 })
    await expect(dialling.dial('gw-b', new AbortController().signal)).rejects.toMatchObject(
      refusal(/no answer|timeout/),
    )
  })
})
