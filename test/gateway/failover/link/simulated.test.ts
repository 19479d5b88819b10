import { describe, expect, it } from 'vitest'
import { type PeerSession, SimulatedPeers } from '../../../../gateway/failover/link/index.ts'
import { SimulatedClock, seededRandom } from '../../../../sync/runtime/index.ts'
import { Host, numbered, Outcome } from './support.ts'

async function setUp(seed = 1) {
  const clock = new SimulatedClock()
  const peers = new SimulatedPeers(clock, seededRandom(seed))
  peers.latency = 10
  const host = new Host(peers.host('b'))
  host.auto = true
  const dial = async (): Promise<PeerSession> => {
    let session: PeerSession | null = null
    let failed: unknown = null
    peers
      .dialer('a')
      .dial('b', new AbortController().signal)
      .then(
        (made) => {
          session = made
        },
        (error: unknown) => {
          failed = error
        },
      )
    await clock.runUntil(() => session !== null || failed !== null, 10_000)
    if (session === null) throw failed
    return session
  }
  return { clock, peers, host, dial }
}

describe('a session that is cut', () => {
  it('delivers the first few of what is on the way, without an answer, and each end notices in its own time', async () => {
    const fates = new Set<number>()
    for (let seed = 1; seed <= 40; seed++) {
      const { clock, peers, host, dial } = await setUp(seed)
      const session = await dial()
      const sent = numbered(3).map((text) => new Outcome(session.send(Buffer.from(text))))
      peers.cut('a', 'b')
      const [served] = host.sessions
      if (served === undefined) throw new Error('expected a session')
      const ends = [new Outcome(session.closed), new Outcome(served.closed)]
      await clock.advance(0)
      expect(ends.map(({ state }) => state)).toEqual(['open', 'open'])
      await clock.advance(peers.noticing)
      expect(ends.map(({ state }) => state)).toEqual(['resolved', 'resolved'])
      expect(sent.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'rejected'])
      expect(host.texts()).toEqual(numbered(host.heard.length))
      fates.add(host.heard.length)
    }
    expect([...fates].sort()).toEqual([0, 1, 2, 3])
  })

  it('cannot be dialled anew until the cut is healed; then the one before is over, noticed or not', async () => {
    const { clock, peers, host, dial } = await setUp()
    const first = await dial()
    peers.noticing = 100_000
    peers.cut('a', 'b')
    peers.noticing = 1000
    await expect(dial()).rejects.toMatchObject({ code: 'PEER_DIAL_FAILED' })
    peers.heal('a', 'b')
    await dial()
    expect(host.sessions.length).toBe(2)
    expect(await host.sessions[0]?.closed).toBeInstanceOf(Error)
    const end = new Outcome(first.closed)
    await clock.advance(100_000)
    expect(end.state).toBe('resolved')
  })

  it('is cut in one direction', async () => {
    const { clock, peers, dial } = await setUp()
    new Host(peers.host('a'))
    peers.cut('b', 'a')
    await dial()
    const back = new Outcome(peers.dialer('b').dial('a', new AbortController().signal))
    await clock.advance(2000)
    expect(back.state).toBe('rejected')
  })
})

it('a session that is dropped is over for both ends soon, and can be dialled anew', async () => {
  const { clock, peers, host, dial } = await setUp()
  const session = await dial()
  peers.drop('a', 'b')
  const ends = [new Outcome(session.closed), new Outcome(host.sessions[0]?.closed ?? Promise.reject())]
  await clock.advance(10)
  expect(ends.map(({ state }) => state)).toEqual(['resolved', 'resolved'])
  await dial()
})

it('messages that are delayed keep their order', async () => {
  const { clock, peers, host, dial } = await setUp()
  const session = await dial()
  peers.delay('a', 'b', 5000)
  const first = session.send(Buffer.from('slow'))
  peers.delay('a', 'b', 0)
  const second = session.send(Buffer.from('quick'))
  await clock.advance(4999)
  expect(host.texts()).toEqual([])
  await clock.advance(100)
  await Promise.all([first, second])
  expect(host.texts()).toEqual(['slow', 'quick'])
})

it('a message that is kept without a copy is found out', async () => {
  const { clock, host, dial } = await setUp()
  const session = await dial()
  let kept: Buffer = Buffer.alloc(0)
  host.onHeard = (_session, message) => {
    kept = message
  }
  const sent = session.send(Buffer.from('kept'))
  await clock.advance(100)
  await sent
  expect(kept.toString()).not.toBe('kept')
})

it('a gateway that stops and serves again is another one for its peers', async () => {
  const { clock, peers, host, dial } = await setUp()
  const session = await dial()
  const end = new Outcome(session.closed)
  peers.stop('b')
  await clock.advance(100)
  expect(end.state).toBe('resolved')
  await expect(dial()).rejects.toMatchObject({ code: 'PEER_DIAL_FAILED' })
  const again = new Host(peers.host('b'))
  await dial()
  expect([host.sessions.length, again.sessions.length]).toEqual([1, 1])
})

it('the same seed gives the same site', async () => {
  const story = async (): Promise<string[]> => {
    const { clock, peers, host, dial } = await setUp(7)
    const log: string[] = []
    for (let round = 0; round < 20; round++) {
      const session = await dial()
      for (const text of numbered(5)) {
        session.send(Buffer.from(text)).then(
          () => log.push(`${clock.monotonic()} ${text}`),
          () => log.push(`${clock.monotonic()} not ${text}`),
        )
      }
      await clock.advance(15)
      peers.cut('a', 'b')
      await clock.advance(2000)
      log.push(`${host.heard.length}`)
      peers.heal('a', 'b')
    }
    return log
  }
  const told = await story()
  expect(await story()).toEqual(told)
  expect(told.some((line) => line.includes('not'))).toBe(true)
})
