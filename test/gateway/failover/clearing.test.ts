import { describe, expect, it } from 'vitest'
import { Clearing } from '../../../gateway/failover/clearing.ts'
import { fingerprint, Twins } from '../../../gateway/failover/twins.ts'
import { encodeLine, type Offset } from '../../../sync/contract/index.ts'
import { reading } from '../../support/outbox.ts'

/** Gateway `gw-b` with readings 0, 1, 2, ... in its lane, and a peer on each side of its name. */
function gateway(count: number) {
  const notes = new Map<string, unknown>()
  const twins = new Twins({
    noteTwin: (name, value) => (value === null ? void notes.delete(name) : void notes.set(name, value)),
  })
  const skipped: Offset[] = []
  let settled = 0
  let released = 0
  const missing = new Set<string>()
  const clearing = new Clearing(
    {
      gateway: 'gw-b',
      peers: [],
      head: () => count,
      settled: () => settled,
      async *read(from, to) {
        for (let offset = from; offset < to; offset++) yield [offset, encodeLine(reading(offset))] as const
      },
      forwarded: () => 0,
      isMissing: (origin, offset) => missing.has(`${origin}#${offset}`),
      skip: (offset) => skipped.push(offset),
      durable: async () => undefined,
      release: (limit) => {
        released = limit
      },
      failed: (error) => {
        throw error
      },
    },
    twins,
  )
  clearing.locate()
  const copy = (origin: string, own: Offset, offset: Offset): void => {
    const print = fingerprint(reading(own))
    if (print) twins.add({ fingerprint: print, origin, offset, until: count, own: null })
  }
  return {
    clearing,
    twins,
    notes,
    missing,
    skipped,
    copy,
    released: () => released,
    settle: (offset: Offset) => {
      settled = offset
    },
  }
}

describe('own readings', () => {
  it('wait for a peer of which nothing is known, and leave when it has passed them', async () => {
    const { clearing, released } = gateway(10)
    clearing.stand('gw-a', { kind: 'unknown' })
    await clearing.idle()
    expect(released()).toBe(0)
    clearing.stand('gw-a', { kind: 'present', passed: 4 })
    await clearing.idle()
    expect(released()).toBe(4)
    clearing.stand('gw-a', { kind: 'fenced' })
    await clearing.idle()
    expect(released()).toBe(10)
  })

  it('wait for the slowest of several peers', async () => {
    const { clearing, released } = gateway(10)
    clearing.stand('gw-a', { kind: 'unknown' })
    clearing.stand('gw-c', { kind: 'present', passed: 3 })
    clearing.stand('gw-a', { kind: 'present', passed: 7 })
    await clearing.idle()
    expect(released()).toBe(3)
  })

  it('stay behind a copy of a gateway with a smaller name, and leave before one with a greater', async () => {
    const { clearing, copy, skipped, twins } = gateway(10)
    copy('gw-a/1', 2, 20)
    copy('gw-c/1', 5, 50)
    clearing.stand('gw-a', { kind: 'fenced' })
    await clearing.idle()
    expect(skipped).toEqual([2])
    expect(twins.skipped()).toEqual([2])
    expect(twins.ofOrigin('gw-c/1').map(({ own }) => own)).toEqual([{ offset: 5, kept: true }])
  })

  it('that left before the last stop, unknown to the disk, are not decided again', async () => {
    const { clearing, copy, skipped, twins, settle } = gateway(10)
    copy('gw-a/1', 2, 20)
    copy('gw-a/1', 7, 70)
    settle(5)
    clearing.stand('gw-a', { kind: 'fenced' })
    await clearing.idle()
    expect(skipped).toEqual([7])
    expect(twins.skipped()).toEqual([7])
  })

  it('stay behind a copy that has left, whoever sent it', async () => {
    const { clearing, copy, skipped } = gateway(10)
    copy('gw-c/1', 5, 50)
    copy('gw-c/1', 6, 51)
    clearing.left('gw-c/1', 51)
    clearing.stand('gw-c', { kind: 'fenced' })
    await clearing.idle()
    expect(skipped).toEqual([5])
  })

  it('leave when their copy was skipped, although the other one is past it', async () => {
    const { clearing, copy, skipped, missing, released } = gateway(10)
    copy('gw-c/1', 5, 50)
    copy('gw-a/1', 6, 60)
    missing.add('gw-a/1#60')
    missing.add('gw-c/1#50')
    clearing.left('gw-c/1', 100)
    clearing.stand('gw-c', { kind: 'fenced' })
    await clearing.idle()
    expect(skipped).toEqual([])
    expect(released()).toBe(10)
  })

  it('that have not left are decided anew after a rival has fenced', async () => {
    const { clearing, copy, skipped, released, settle } = gateway(10)
    clearing.stand('gw-c', { kind: 'fenced' })
    await clearing.idle()
    expect(released()).toBe(10)
    settle(4)
    clearing.withdraw()
    clearing.stand('gw-c', { kind: 'unknown' })
    expect(released()).toBe(4)
    copy('gw-c/1', 5, 50)
    clearing.left('gw-c/1', 51)
    clearing.stand('gw-c', { kind: 'fenced' })
    await clearing.idle()
    expect([released(), skipped]).toEqual([10, [5]])
  })
})

describe('copies', () => {
  it('are forgotten when both sides are past them, on disk too', async () => {
    const { clearing, copy, twins, notes, settle } = gateway(10)
    copy('gw-a/1', 2, 20)
    expect(notes.size).toBe(1)
    settle(10)
    clearing.left('gw-a/1', 21)
    twins.prune(10, (origin) => clearing.settledOf(origin))
    expect([twins.any, notes.size]).toEqual([false, 0])
  })

  it('are told by what the device says; what says nothing of itself has none', () => {
    const { value, metric, device, received } = reading(1)
    expect(fingerprint({ value, metric, device, received })).toBeNull()
    expect(fingerprint({ ...reading(1), received: 5, labels: { line: 'a' } })).toBe(fingerprint(reading(1)))
    expect(fingerprint({ ...reading(1), value: 7 })).not.toBe(fingerprint(reading(1)))
  })
})
