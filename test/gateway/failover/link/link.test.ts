import { describe, expect, it } from 'vitest'
import {
  mqttPeerDialer,
  type PeerDialer,
  type PeerHost,
  SimulatedPeers,
} from '../../../../gateway/failover/link/index.ts'
import { seededRandom, systemClock } from '../../../../sync/runtime/index.ts'
import { PATIENCE } from '../../ingest/mqtt/support/raw-client.ts'
import { startTestServer } from '../../ingest/mqtt/support/server.ts'
import { dialled, Host, numbered, Outcome } from './support.ts'

const SECRET = 'a secret of the site'
const MIB = 1024 * 1024

/** `gw-a` dials `gw-b`. */
interface Pair {
  dialer: PeerDialer
  host: PeerHost
  /** `gw-b` is gone. */
  stopHost(): Promise<void>
}

async function overMqtt(): Promise<Pair> {
  const { server, port } = await startTestServer({ peers: { secret: SECRET, peers: [{ gateway: 'gw-a' }] } })
  const dialer = mqttPeerDialer({
    gateway: 'gw-a',
    secret: SECRET,
    peers: [{ gateway: 'gw-b', url: `mqtt://127.0.0.1:${port}` }],
    dialTimeout: 5000,
    keepAlive: 2000,
  })
  return { dialer, host: server.peers, stopHost: () => server.close() }
}

async function simulated(): Promise<Pair> {
  const peers = new SimulatedPeers(systemClock, seededRandom(1))
  return { dialer: peers.dialer('gw-a'), host: peers.host('gw-b'), stopHost: async () => peers.stop('gw-b') }
}

describe.each([
  ['MQTT', overMqtt],
  ['the simulated site', simulated],
])('a session over %s', (_, make) => {
  async function setUp() {
    const pair = await make()
    const host = new Host(pair.host)
    const session = await dialled(pair.dialer)
    return { ...pair, host, session }
  }

  it('tells who dialled', async () => {
    const { host } = await setUp()
    expect(host.sessions.map(({ peer }) => peer)).toEqual(['gw-a'])
  })

  it('carries messages in order, many at a time', async () => {
    const { host, session } = await setUp()
    const texts = numbered(1000)
    const sent = texts.map((text) => new Outcome(session.send(Buffer.from(text))))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(1000)
    expect(host.texts()).toEqual(texts)
    expect(sent.every(({ state }) => state === 'open')).toBe(true)
    for (const { done } of host.heard) done(null)
    await expect.poll(() => sent.every(({ state }) => state === 'resolved'), PATIENCE).toBe(true)
  })

  it('has room for sixteen megabytes under way', async () => {
    const { host, session } = await setUp()
    const sent = numbered(64).map(() => session.send(Buffer.alloc(MIB / 4, 'x')))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(64)
    for (const { done } of host.heard) done(null)
    await Promise.all(sent)
  })

  it('tells the dialler of what is taken in the order of sending, in whatever order it got done', async () => {
    const { host, session } = await setUp()
    const order: number[] = []
    const sent = [0, 1, 2].map((n) => session.send(Buffer.from([n])).then(() => order.push(n)))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(3)
    host.heard[2]?.done(null)
    host.heard[1]?.done(null)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(order).toEqual([])
    host.heard[0]?.done(null)
    await Promise.all(sent)
    expect(order).toEqual([0, 1, 2])
  })

  it('carries answers in order, and what was said before a message was done comes before that is known', async () => {
    const { host, session } = await setUp()
    const log: string[] = []
    host.auto = true
    host.onHeard = (served, message) => served.send(Buffer.from(`re ${message}`))
    session.onMessage((message) => log.push(message.toString()))
    await Promise.all(numbered(20).map((text) => session.send(Buffer.from(text)).then(() => log.push(`sent ${text}`))))
    expect(log.filter((line) => line.startsWith('re'))).toEqual(numbered(20, 're m'))
    for (const text of numbered(20)) expect(log.indexOf(`re ${text}`)).toBeLessThan(log.indexOf(`sent ${text}`))
  })

  it('keeps what is said until somebody listens, also what is said at once', async () => {
    const pair = await make()
    pair.host.serve({
      opened(_peer, session) {
        for (const text of numbered(3)) session.send(Buffer.from(text))
      },
    })
    const session = await dialled(pair.dialer)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const heard: string[] = []
    session.onMessage((message) => heard.push(message.toString()))
    await expect.poll(() => heard, PATIENCE).toEqual(numbered(3))
  })

  it('keeps messages until somebody listens', async () => {
    const pair = await make()
    const sessions: Parameters<Parameters<PeerHost['serve']>[0]['opened']>[1][] = []
    pair.host.serve({ opened: (_peer, session) => sessions.push(session) })
    const session = await dialled(pair.dialer)
    const sent = numbered(3).map((text) => session.send(Buffer.from(text)))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const heard: string[] = []
    sessions[0]?.onMessage((message, done) => {
      heard.push(message.toString())
      done(null)
    })
    await Promise.all(sent)
    expect(heard).toEqual(numbered(3))
  })

  it('carries big messages, both ways, unharmed', async () => {
    const { host, session } = await setUp()
    const big = Buffer.alloc(1.5 * MIB)
    for (let i = 0; i < big.length; i += 4) big.writeUInt32LE(i, i)
    const answers: Buffer[] = []
    const equal: boolean[] = []
    session.onMessage((message) => answers.push(message))
    host.onHeard = (served, message) => {
      equal.push(message.equals(big))
      served.send(Buffer.from(message))
    }
    host.auto = true
    await Promise.all([session.send(big), session.send(big), session.send(Buffer.alloc(2 * MIB))])
    expect(equal).toEqual([true, true, false])
    await expect.poll(() => answers.length, PATIENCE).toBe(3)
    expect(answers[1]?.equals(big)).toBe(true)
    expect(answers[2]?.length).toBe(2 * MIB)
  })

  it('ends when a message is not taken: what is under way is known to be unknown', async () => {
    const { host, session } = await setUp()
    const sent = numbered(3).map((text) => new Outcome(session.send(Buffer.from(text))))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(3)
    host.heard[0]?.done(null)
    await expect.poll(() => sent[0]?.state, PATIENCE).toBe('resolved')
    host.heard[1]?.done(new Error('the disk is full'))
    host.heard[2]?.done(null)
    await session.closed
    expect(await host.sessions[0]?.closed).toMatchObject({ message: 'the disk is full' })
    for (const { error } of sent.slice(1)) expect(error).toMatchObject({ code: 'PEER_SESSION_OVER' })
    await expect(session.send(Buffer.from('late'))).rejects.toMatchObject({ code: 'PEER_SESSION_OVER' })
    host.sessions[0]?.send(Buffer.from('late'))
  })

  it('is ended by a new one of the same peer, before that begins', async () => {
    const { host, session, dialer } = await setUp()
    const first = new Outcome(session.send(Buffer.from('first')))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(1)
    const second = await dialled(dialer)
    await session.closed
    expect(await host.sessions[0]?.closed).toBeInstanceOf(Error)
    expect(first.state).toBe('rejected')
    expect(host.sessions.length).toBe(2)
    host.heard[0]?.done(null)
    host.auto = true
    await second.send(Buffer.from('second'))
    expect(host.texts()).toEqual(['first', 'second'])
  })

  it('is over at both ends when the host goes', async () => {
    const { host, session, dialer, stopHost } = await setUp()
    const stopped = stopHost()
    expect(await session.closed).toBeInstanceOf(Error)
    await host.sessions[0]?.closed
    await stopped
    await expect(dialOnce(dialer)).rejects.toMatchObject({ code: 'PEER_DIAL_FAILED', name: 'PeerDialError' })
  })

  it('is over at both ends when the dialler closes it, whatever is under way', async () => {
    const { host, session } = await setUp()
    const sent = new Outcome(session.send(Buffer.from('open')))
    await expect.poll(() => host.heard.length, PATIENCE).toBe(1)
    await session.close()
    expect(await session.closed).toBeNull()
    expect(await host.sessions[0]?.closed).toBeNull()
    expect(sent.error).toMatchObject({ code: 'PEER_SESSION_OVER' })
    await session.close()
  })

  it('is over at both ends when the host closes it, after what was said', async () => {
    const { host, session } = await setUp()
    const heard: string[] = []
    session.onMessage((message) => heard.push(message.toString()))
    host.sessions[0]?.send(Buffer.from('goodbye'))
    host.sessions[0]?.close()
    await session.closed
    expect(heard).toEqual(['goodbye'])
    expect(await host.sessions[0]?.closed).toBeNull()
  })

  it('does not begin while nobody serves, with a gateway that is no peer, or when dialling is given up', async () => {
    const { dialer, host } = await make()
    const failed = { code: 'PEER_DIAL_FAILED' }
    await expect(dialOnce(dialer)).rejects.toMatchObject(failed)
    new Host(host)
    await expect(dialOnce(dialer, 'gw-z')).rejects.toMatchObject(failed)
    const given = new AbortController()
    given.abort()
    await expect(dialer.dial('gw-b', given.signal)).rejects.toMatchObject(failed)
    const giving = new AbortController()
    const dialling = dialer.dial('gw-b', giving.signal)
    giving.abort()
    await expect(dialling).rejects.toMatchObject(failed)
    await dialled(dialer)
  })
})

const dialOnce = (dialer: PeerDialer, peer = 'gw-b') => dialer.dial(peer, new AbortController().signal)
