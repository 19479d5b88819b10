import { describe, expect, it } from 'vitest'
import { Clearing } from '../../../gateway/failover/clearing.ts'
import { Copies } from '../../../gateway/failover/copies.ts'
import { linesBetween } from '../../../gateway/failover/lines.ts'
import { Replicas } from '../../../gateway/failover/replicas.ts'
import { Twins } from '../../../gateway/failover/twins.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeLine, encodeLine } from '../../../sync/contract/index.ts'
import { openOutbox, reading } from '../../support/outbox.ts'

const [A, B] = ['gw-a/00000000000000aa', 'gw-b/00000000000000bb']

/** Gateway gw-s, which holds replicas of gw-a and gw-b, and heard their readings in some order. */
async function survivor() {
  const { outbox, put } = await openOutbox({ disk: new MemoryDisk(), dir: '/s' })
  const twins = new Twins(outbox)
  let settled = 0
  const said = new Set<string>()
  const replicas: Replicas = new Replicas({
    store: outbox,
    machine: {
      hear: (_, { seq }) => {
        const isKnown = said.has(String(seq))
        said.add(String(seq))
        return isKnown
      },
      heed: () => [],
      learn: () => undefined,
    },
    twins,
    tell: () => undefined,
    foundTwin: () => undefined,
    grew: () => undefined,
  })
  const read = (from: number, to: number) =>
    linesBetween((at, maxBytes) => outbox.blocks('readings', at, maxBytes), from, to)
  const clearing = new Clearing(
    {
      gateway: 'gw-s',
      peers: [],
      head: () => outbox.durable('readings'),
      settled: () => settled,
      read,
      forwarded: (origin) => replicas.get(origin)?.lane('readings').cursor.next ?? 0,
      isMissing: (origin, offset) => replicas.get(origin)?.isMissing(offset) ?? false,
      skip: (offset) => outbox.declareRepeated(offset),
      durable: () => durable(),
      release: () => undefined,
      failed: (error) => {
        throw error
      },
    },
    twins,
  )
  clearing.locate()
  const durable = (): Promise<void> =>
    new Promise((resolve, reject) => outbox.whenDurable((error) => (error ? reject(error) : resolve())))
  const offsets = new Map<string, number>()
  return {
    clearing,
    replicas,
    twins,
    settle: (offset: number) => {
      settled = offset
    },
    own: async (seq: number) => {
      said.add(String(seq))
      await put(reading(seq))
    },
    hear: async (origin: string, ...seqs: readonly number[]) => {
      const replica = await replicas.of(origin)
      const from = offsets.get(origin) ?? 0
      offsets.set(origin, from + seqs.length)
      const lines = seqs.map((seq) => encodeLine(reading(seq)))
      replica.fill('readings', { from, to: from + lines.length - 1, gaps: [], lines }, 1)
      await durable()
      for (const [i, line] of lines.entries()) replicas.hear(origin, decodeLine(line), from + i)
    },
    left: async (origin: string, next: number) => {
      const lane = (await replicas.of(origin)).lane('readings')
      lane.moveCursor({ ...lane.cursor, next })
      await durable()
    },
    stay: async (origin: string, live: readonly string[] = []): Promise<number[] | null> => {
      const replica = await replicas.of(origin)
      const parts = { twins, clearing, replicas, isLive: (other: string) => live.includes(other) }
      const copies = new Copies({ ...parts, own: { tail: () => 0, settled: () => settled, read } }, replica)
      if (!(await copies.decide())) return null
      await durable()
      return [...Array(offsets.get(origin) ?? 0).keys()].filter((offset) => replica.isMissing(offset))
    },
  }
}

describe('of copies that only others have', () => {
  it('the one of the gateway with the smaller name leaves, whichever was heard first', async () => {
    const site = await survivor()
    await site.hear(A, 1, 2, 3)
    await site.hear(B, 3, 9)
    await site.hear(A, 9)
    expect(await site.stay(A)).toEqual([])
    expect(await site.stay(B)).toEqual([0, 1])
  })

  it('the one that is in the stream stays the only one', async () => {
    const site = await survivor()
    await site.hear(B, 1, 2)
    await site.left(B, 2)
    await site.hear(A, 1, 2, 3)
    expect(await site.stay(A)).toEqual([0, 1])
  })

  it('the other one leaves when one was left out already', async () => {
    const site = await survivor()
    await site.hear(A, 1)
    await site.hear(B, 1)
    const a = await site.replicas.of(A)
    a.declare('readings', { from: 0, to: 0, reason: 'repeated' })
    expect(await site.stay(B)).toEqual([])
  })

  it('of two lives of one gateway leaves what it said in that which it lives now, else one of the two', async () => {
    const later = 'gw-a/00000000000000ff'
    const alive = await survivor()
    await alive.hear(A, 1)
    await alive.hear(later, 1)
    expect(await alive.stay(A, [later])).toEqual([0])
    const dead = await survivor()
    await dead.hear(A, 1)
    await dead.hear(later, 1)
    expect([await dead.stay(A), await dead.stay(later)]).toEqual([[], [0]])
  })

  it('what was heard before it was in the stream is known as long as another one is not there', async () => {
    const site = await survivor()
    await site.hear(A, 1)
    await site.hear(B, 1)
    await site.left(B, 1)
    site.twins.prune(0, (origin) => (origin === B ? 1 : 0))
    expect(await site.stay(A)).toEqual([0])
    site.twins.prune(0, () => 1)
    expect(site.twins.any).toBe(false)
  })
})

describe('of copies that were taken in here', () => {
  it('nothing is decided before it is known whether the own one leaves', async () => {
    const site = await survivor()
    await site.own(1)
    await site.hear(A, 1, 2)
    expect(await site.stay(A)).toBeNull()
    site.clearing.advance()
    await site.clearing.idle()
    // The smaller name: the own one is left out.
    expect(await site.stay(A)).toEqual([])
  })

  it('nothing is decided while the own one may be on its way', async () => {
    const site = await survivor()
    await site.own(1)
    site.clearing.advance()
    await site.clearing.idle()
    await site.hear(A, 1, 2)
    expect(site.clearing.released).toBe(1)
    expect(await site.stay(A)).toBeNull()
    site.settle(1)
    expect(await site.stay(A)).toEqual([0])
  })

  it('the own one may have left before the other was heard of', async () => {
    const site = await survivor()
    await site.own(1)
    site.clearing.advance()
    await site.clearing.idle()
    site.settle(1)
    await site.hear(A, 1, 2)
    expect(await site.stay(A)).toEqual([0])
  })
})
