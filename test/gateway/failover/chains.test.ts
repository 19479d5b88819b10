import { describe, expect, it } from 'vitest'
import { PeerChains } from '../../../gateway/failover/chains.ts'
import { Clearing } from '../../../gateway/failover/clearing.ts'
import { Replicas } from '../../../gateway/failover/replicas.ts'
import { Twins } from '../../../gateway/failover/twins.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { HEADERS } from '../../../sync/contract/index.ts'
import type { CentralSession } from '../../../sync/link/index.ts'
import { systemClock } from '../../../sync/runtime/index.ts'
import { openOutbox } from '../../support/outbox.ts'

const ORIGIN = 'gw-b/00000000000000bb'

/** Gateway gw-a before a chain of gw-b that ends at message 1900 of 2000, and where it begins to read it. */
async function beforeChain() {
  const { outbox } = await openOutbox({ disk: new MemoryDisk(), dir: '/a' })
  const twins = new Twins(outbox)
  const replicas = new Replicas({
    store: outbox,
    machine: { hear: () => false, heed: () => [], learn: () => undefined },
    twins,
    tell: () => undefined,
    foundTwin: () => undefined,
    grew: () => undefined,
  })
  const clearing = new Clearing(
    {
      gateway: 'gw-a',
      peers: ['gw-b'],
      head: () => 0,
      settled: () => 0,
      async *read() {},
      forwarded: () => 0,
      isMissing: () => false,
      skip: () => undefined,
      durable: async () => undefined,
      release: () => undefined,
      failed: () => undefined,
    },
    twins,
  )
  const end = { sequence: 1900, headers: new Map([[HEADERS.fence, 'gw-a']]), body: new Uint8Array() }
  const asked: number[] = []
  const central = {
    facts: async () => ({ lastSequence: 2000 }),
    head: async () => end,
    nextFrom: async (_stream: string, _subject: string, from: number) => {
      asked.push(from)
      return end
    },
  } as unknown as CentralSession
  const chains = new PeerChains({
    site: 'site',
    gateway: 'gw-a',
    ackTimeout: 1000,
    clearing,
    replicas,
    twins,
    clock: systemClock,
    durable: async () => undefined,
    filled: () => undefined,
  })
  return {
    replicas,
    begin: async () => {
      await chains.fence(central, 'gw-b', { inPlaceOf: null, newerThan: 0 })
      return asked[0]
    },
  }
}

describe("a peer's chain is read", () => {
  it('from some way back when the peer was never met', async () => {
    const { begin } = await beforeChain()
    expect(await begin()).toBe(1501)
  })

  it('from its beginning when there was nothing on it as long as the peer was here', async () => {
    const { replicas, begin } = await beforeChain()
    await replicas.of(ORIGIN)
    expect(await begin()).toBe(1)
  })

  it('from where the peer said that it ends, also of a peer that had sent nothing itself', async () => {
    const { replicas, begin } = await beforeChain()
    const replica = await replicas.of(ORIGIN)
    await replica.follow('readings', { next: 0, sequence: 1800 }, 0)
    expect(await begin()).toBe(1801)
  })

  it('from where the older of two epochs ends that are not yet over: the newer one may have begun before that was sent', async () => {
    const { replicas, begin } = await beforeChain()
    const older = await replicas.of(ORIGIN)
    const newer = await replicas.of('gw-b/00000000000000cc')
    await older.follow('readings', { next: 0, sequence: 1700 }, 0)
    await newer.follow('readings', { next: 0, sequence: 1800 }, 0)
    expect(await begin()).toBe(1701)
  })
})
