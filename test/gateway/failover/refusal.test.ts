import { expect, it } from 'vitest'
import { Downlink, type DownlinkHost } from '../../../gateway/failover/downlink.ts'
import { SimulatedPeers } from '../../../gateway/failover/link/index.ts'
import {
  type Answer,
  decodeRequest,
  encodeMessage,
  type LanePosition,
  type LaneProgress,
  PROTOCOL_VERSION,
} from '../../../gateway/failover/protocol.ts'
import { Uplink } from '../../../gateway/failover/uplink.ts'
import { healthOf } from '../../../gateway/observe/index.ts'
import { byLane, StopAcceptingError } from '../../../sync/contract/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'

const clock = new SimulatedClock()
const random = seededRandom(1)

/** An uplink of gw-1 to whatever serves as gw-2. */
function uplinkTo(peers: SimulatedPeers, backlog: number) {
  const log: string[] = []
  const uplink = new Uplink({
    peer: 'gw-2',
    dialer: peers.dialer('gw-1'),
    settings: { heartbeat: 200, awayAfter: 1000, retry: { min: 50, max: 1000 } },
    clock,
    random,
    events: {
      up: () => log.push('up'),
      inStep: () => log.push('inStep'),
      stored: () => undefined,
      down: (_, reason) => log.push(reason),
    },
    host: {
      site: 'plant-1',
      gateway: 'gw-1',
      epoch: () => 'e1',
      head: (lane) => (lane === 'readings' ? backlog : 0),
      position: async () => ({ next: backlog, lineage: null }) satisfies LanePosition,
      progress: () => ({ next: 0, sequence: 0, tail: 0, skipped: [] }) satisfies LaneProgress,
      lineageAt: async () => null,
      blocks: async (lane, from) => ({
        blocks: lane === 'readings' ? [{ first: from, count: 1, committedAt: 0, value: Buffer.from('x') }] : [],
        gaps: [],
        next: lane === 'readings' ? from + 1 : from,
      }),
      onBlocks: () => () => undefined,
      rules: () => ({}),
      known: () => [],
      startEpoch: async () => undefined,
    },
  })
  const stop = new AbortController()
  const running = uplink.run(stop.signal)
  const end = async (): Promise<void> => {
    stop.abort()
    await clock.advance(10_000)
    await running
  }
  return { uplink, log, end }
}

/** Serves as gw-2, answering each kind of message like this. */
function answering(answers: Partial<Record<string, Answer>>) {
  const peers = new SimulatedPeers(clock, random)
  const dialled: number[] = []
  peers.host('gw-2').serve({
    opened: (_, session) => {
      dialled.push(clock.monotonic())
      session.onMessage((bytes, done) => {
        const answer = answers[decodeRequest(bytes).kind]
        if (answer) session.send(encodeMessage(answer))
        if (answer?.kind === 'refused') session.close()
        done(null)
      })
    },
  })
  return { peers, dialled }
}

const WELCOME: Answer = { kind: 'welcome', version: PROTOCOL_VERSION, gateway: 'gw-2', epoch: 'e2', have: null }
const FULL: Answer = { kind: 'refused', code: 'DISK_FULL', message: 'the disk is nearly full' }

it.each([
  ['at once', { hello: FULL }],
  ['after the hello', { hello: WELCOME, blocks: FULL }],
])('a peer that refuses %s is asked about once a second, not as often as it answers', async (_, answers) => {
  const { peers, dialled } = answering(answers)
  const { uplink, log, end } = uplinkTo(peers, 1)
  await clock.advance(60_000)
  expect(dialled.length).toBeGreaterThan(50)
  expect(dialled.length).toBeLessThan(200)
  expect(log).toContain('gw-2 refused: the disk is nearly full (DISK_FULL)')
  expect(log).not.toContain('inStep')
  expect(uplink.refusal).toEqual({ code: 'DISK_FULL', message: 'the disk is nearly full' })
  await end()
})

it('a refusal is forgotten when the peer is gone, or has thought better of it', async () => {
  const answers: Partial<Record<string, Answer>> = { hello: FULL }
  const { peers } = answering(answers)
  const { uplink, log, end } = uplinkTo(peers, 0)
  await clock.advance(5000)
  expect(uplink.refusal).not.toBeNull()
  peers.cut('gw-1', 'gw-2')
  await clock.advance(5000)
  expect(uplink.refusal).toBeNull()
  peers.heal('gw-1', 'gw-2')
  await clock.advance(5000)
  expect(uplink.refusal).not.toBeNull()
  Object.assign(answers, { hello: WELCOME, beat: { kind: 'beat' } })
  await clock.advance(5000)
  expect(uplink.refusal).toBeNull()
  expect(log.slice(-2)).toEqual(['up', 'inStep'])
  await end()
})

/** What gw-1 is answered when it says hello to gw-2. */
async function helloTo(state: { accepting: boolean }, version: number) {
  const peers = new SimulatedPeers(clock, random)
  const arrived: string[] = []
  const position = (): LanePosition => ({ next: 0, lineage: null })
  const host: DownlinkHost = {
    site: 'plant-1',
    gateway: 'gw-2',
    epoch: () => 'e2',
    accepting: state.accepting,
    refusal: () => new StopAcceptingError('DISK_FULL', 'the disk is nearly full'),
    arrived: async (peer, epoch) => {
      arrived.push(`${peer}/${epoch}`)
      return {
        origin: `${peer}/${epoch}`,
        isNew: true,
        isBriefed: true,
        position,
        durable: () => 0,
        accept: () => [],
        declare: () => undefined,
        follow: async () => undefined,
        heard: () => undefined,
        heeded: () => undefined,
        learned: () => undefined,
        briefed: () => undefined,
      }
    },
    whenDurable: (callback) => callback(null),
    clearing: () => ({ head: 0, settled: 0, skipped: [] }),
    mergeRules: () => undefined,
    leaving: () => undefined,
  }
  const [ups, downs]: [string[], string[]] = [[], []]
  peers.host('gw-2').serve({
    opened: (_, session) =>
      void new Downlink({
        session,
        host,
        clock,
        awayAfter: 60_000,
        up: (peer) => ups.push(peer),
        down: (_, reason) => downs.push(reason),
      }),
  })
  const dialling = peers.dialer('gw-1').dial('gw-2', new AbortController().signal)
  await clock.advance(1000)
  const session = await dialling
  const heard: unknown[] = []
  session.onMessage((bytes) => heard.push(JSON.parse(bytes.toString('utf8', 4))))
  const lanes = byLane(position)
  const hello = { kind: 'hello' as const, version, site: 'plant-1', gateway: 'gw-1', epoch: 'e1', lanes }
  session.send(encodeMessage(hello)).catch(() => undefined)
  await clock.advance(1000)
  return { heard, arrived, ups, downs }
}

it('a gateway that takes nothing in, or speaks another version, says so at the hello, and knows that the other one lives', async () => {
  const full = await helloTo({ accepting: false }, PROTOCOL_VERSION)
  expect(full).toMatchObject({ heard: [{ kind: 'refused', code: 'DISK_FULL' }], arrived: ['gw-1/e1'], ups: [] })
  expect(full.downs).toHaveLength(1)
  const message = `gw-1 speaks version ${PROTOCOL_VERSION + 1} of the protocol between gateways, and gw-2 version ${PROTOCOL_VERSION}; bring both to the same release`
  const other = await helloTo({ accepting: true }, PROTOCOL_VERSION + 1)
  expect(other).toMatchObject({ heard: [{ kind: 'refused', code: 'PEER_VERSION', message }], arrived: ['gw-1/e1'] })
  expect(other).toMatchObject({ ups: [], downs: [message] })
  const well = await helloTo({ accepting: true }, PROTOCOL_VERSION)
  expect(well).toMatchObject({ heard: [{ kind: 'welcome' }, { kind: 'stored' }], ups: ['gw-1'], downs: [] })
})

it('health says why a peer is away, where somebody can do something about it', () => {
  const problems = (refusal: { code: string; message: string } | null) => {
    const peer = {
      gateway: 'gw-2',
      present: false,
      inStep: false,
      behind: 0,
      holds: 0,
      takenOver: false,
      leaving: false,
    }
    const now = {
      link: { link: 'up' },
      outbox: { state: 'open', full: null },
      failover: { degraded: false, refuses: false, peers: [{ ...peer, refusal }] },
      handover: { stage: 'none' },
      clock: { behind: null },
    }
    return healthOf(now as unknown as Parameters<typeof healthOf>[0]).problems
  }
  expect(problems(null)).toEqual([{ code: 'PEER_AWAY', message: 'gw-2 cannot be reached' }])
  const version = { code: 'PEER_VERSION', message: 'bring both to the same release' }
  expect(problems(version)).toEqual([version])
  expect(problems({ code: 'DISK_FULL', message: 'the disk is nearly full' })).toEqual([
    { code: 'PEER_REFUSES', message: 'gw-2 keeps no copies: the disk is nearly full' },
  ])
})
