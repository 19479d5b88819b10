import { describe, expect, it } from 'vitest'
import { Downlink } from '../../../gateway/failover/downlink.ts'
import type { ServedSession } from '../../../gateway/failover/link/index.ts'
import { type Answer, decodeAnswer, encodeMessage, PROTOCOL_VERSION } from '../../../gateway/failover/protocol.ts'
import { Replicas } from '../../../gateway/failover/replicas.ts'
import { Twins } from '../../../gateway/failover/twins.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { StopAcceptingError } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { openOutbox, reading } from '../../support/outbox.ts'

const EPOCH = '0123456789abcdef'
type Taken = (message: Buffer, done: (error: Error | null) => void) => void

/** A gateway that is sent another one's lanes. */
async function served() {
  const clock = new SimulatedClock()
  const box = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
  const { outbox } = box
  const heard: string[] = []
  const replicas = new Replicas({
    store: outbox,
    machine: {
      hear: (origin, { seq }, offset) => {
        heard.push(`${origin}#${offset} ${seq}`)
        return false
      },
      heed: () => [],
      learn: () => undefined,
    },
    twins: new Twins(outbox),
    tell: () => undefined,
    foundTwin: () => undefined,
    grew: () => undefined,
  })
  let take: Taken = () => undefined
  const answers: Answer[] = []
  const ends: (string | null)[] = []
  const session: ServedSession = {
    peer: 'gw-a',
    onMessage: (listener) => {
      take = listener
    },
    send: (message) => void answers.push(decodeAnswer(Buffer.from(message))),
    closed: new Promise(() => undefined),
    close: () => undefined,
  }
  let accepting = true
  new Downlink({
    session,
    clock,
    awayAfter: 1000,
    up: () => ends.push(null),
    down: (_, reason) => ends.push(reason),
    host: {
      site: 'site',
      gateway: 'gw-b',
      epoch: () => EPOCH,
      get accepting() {
        return accepting
      },
      refusal: () => new StopAcceptingError('OUTBOX_FULL', 'it is full'),
      arrived: (peer, epoch) => replicas.keeper(`${peer}/${epoch}`),
      whenDurable: (callback) => outbox.whenDurable(callback),
      clearing: () => ({ head: 0, settled: 0, skipped: [] }),
      mergeRules: () => undefined,
      leaving: (peer) => ends.push(`${peer} leaves`),
    },
  })
  const say = (message: Parameters<typeof encodeMessage>[0]): Promise<Error | null> =>
    new Promise((resolve) => take(encodeMessage(message), resolve))
  return {
    clock,
    outbox,
    replicas,
    heard,
    answers,
    ends,
    say,
    fill: () => {
      accepting = false
    },
    greet: () =>
      say({ kind: 'hello', version: PROTOCOL_VERSION, site: 'site', gateway: 'gw-a', epoch: EPOCH, lanes: NOTHING }),
  }
}

const NOTHING = {
  readings: { next: 0, lineage: null },
  events: { next: 0, lineage: null },
  deadletters: { next: 0, lineage: null },
}

describe('a downlink', () => {
  it('keeps the checksum of its gateway when what is missing lies within a block that is sent along', async () => {
    const { greet, say, replicas, heard, answers } = await served()
    expect(await greet()).toBeNull()
    const a = await openOutbox({ disk: new MemoryDisk(), dir: '/a' })
    for (let seq = 0; seq < 3; seq++) await a.put(reading(seq))
    const { blocks } = await a.outbox.blocks('readings', 0, 1e6)
    const parts = blocks.map(({ value }) => ({ lane: 'readings' as const, value }))
    // The newest is alone in its block, and leaves elsewhere.
    const gap = { from: 2, to: 2, reason: 'repeated' as const }
    expect(await say({ kind: 'blocks', blocks: parts, gaps: [{ lane: 'readings', gap }] })).toBeNull()
    const replica = replicas.get(`gw-a/${EPOCH}`)
    expect(replica?.end('readings')).toEqual({ next: 3, lineage: await a.outbox.lane('readings').lineageAt(3) })
    expect([0, 1, 2].map((offset) => replica?.isMissing(offset))).toEqual([false, false, true])
    expect(heard).toEqual([0, 1, 2].map((seq) => `gw-a/${EPOCH}#${seq} ${seq}`))
    expect(answers.at(-1)).toMatchObject({ kind: 'stored', next: { readings: 3 } })
  })

  it('goes on behind what is missing for good', async () => {
    const { greet, say, replicas } = await served()
    await greet()
    const a = await openOutbox({ disk: new MemoryDisk(), dir: '/a' })
    for (let seq = 0; seq < 3; seq++) await a.put(reading(seq))
    const { blocks } = await a.outbox.blocks('readings', 2, 1e6)
    const parts = blocks.map(({ value }) => ({ lane: 'readings' as const, value }))
    const gap = { from: 0, to: 1, reason: 'trimmed' as const }
    expect(await say({ kind: 'blocks', blocks: parts, gaps: [{ lane: 'readings', gap }] })).toBeNull()
    expect(replicas.get(`gw-a/${EPOCH}`)?.end('readings').next).toBe(3)
  })

  it('says of a peer that was never met that it has nothing to go on from, and else how much it has, even if that is nothing', async () => {
    const { greet, answers } = await served()
    await greet()
    await greet()
    const welcomes = answers.filter(({ kind }) => kind === 'welcome')
    expect(welcomes).toMatchObject([{ have: null }, { have: { readings: { next: 0 } } }])
  })

  it('takes nothing before it was greeted, and nothing that cannot be kept', async () => {
    const early = await served()
    expect(await early.say({ kind: 'blocks', blocks: [], gaps: [] })).toMatchObject({ code: 'PEER_UNGREETED' })
    expect(early.answers).toMatchObject([{ kind: 'refused', code: 'PEER_UNGREETED' }])
    const full = await served()
    await full.greet()
    full.fill()
    expect(await full.say({ kind: 'blocks', blocks: [], gaps: [] })).toMatchObject({ code: 'OUTBOX_FULL' })
    expect(full.ends).toEqual([null, expect.stringContaining('it is full')])
  })

  it('refuses another version of the protocol and says which', async () => {
    const { say, answers } = await served()
    const hello = { kind: 'hello', version: 99, site: 'site', gateway: 'gw-a', epoch: EPOCH, lanes: NOTHING } as const
    expect(await say(hello)).toMatchObject({ code: 'PEER_VERSION' })
    expect(answers).toMatchObject([{ kind: 'refused', code: 'PEER_VERSION' }])
  })

  it('ends when the peer says nothing', async () => {
    const { clock, greet, ends } = await served()
    await greet()
    await clock.advance(2000)
    expect(ends).toEqual([null, 'gw-a says nothing'])
  })
})
