import { describe, expect, it } from 'vitest'
import { decodeBlock, linesOf, type Outbox, type ReplicaAccess } from '../../../gateway/outbox/index.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'

const ORIGIN = 'gw-a/0123456789abcdef'

const durable = (outbox: Outbox): Promise<void> =>
  new Promise((resolve, reject) => outbox.whenDurable((error) => (error ? reject(error) : resolve())))

/** A gateway with some readings in several blocks. */
async function source(count: number): Promise<TestOutbox> {
  const box = await openOutbox({
    disk: new MemoryDisk(),
    dir: '/a',
    settings: { block: { maxRecords: 5, maxBytes: 1e6, spacing: 0 } },
  })
  for (let seq = 0; seq < count; seq++) await box.put(reading(seq))
  return box
}

async function copyAll(from: Outbox, to: ReplicaAccess, at = 0): Promise<void> {
  for (let next = at; next < from.durable('readings'); ) {
    const run = await from.blocks('readings', next, 100)
    for (const gap of run.gaps) to.declare('readings', gap)
    for (const { value } of run.blocks) to.accept('readings', value)
    next = run.next
  }
}

async function linesIn(replica: ReplicaAccess): Promise<string[]> {
  const lane = replica.lane('readings')
  const lines: string[] = []
  for (let next = 0; next < lane.head; ) {
    const slice = await lane.read(next, 1e6)
    lines.push(...slice.body.toString('utf8').split('\n').slice(0, -1))
    next = slice.next
  }
  return lines
}

async function allOf(outbox: Outbox): Promise<string[]> {
  const { blocks } = await outbox.blocks('readings', 0, 1e9)
  return blocks.flatMap(({ value }) => linesOf(decodeBlock(value)))
}

describe('a replica', () => {
  it('is the lane byte for byte, with the same running checksum, and is there again after a restart', async () => {
    const a = await source(23)
    const disk = new MemoryDisk()
    const b = await openOutbox({ disk, dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    await copyAll(a.outbox, replica)
    await durable(b.outbox)
    expect(await linesIn(replica)).toEqual(await allOf(a.outbox))
    expect(replica.end('readings')).toEqual({ next: 23, lineage: await a.outbox.lane('readings').lineageAt(23) })
    await b.outbox.close()
    const again = await openOutbox({ disk, dir: '/b' })
    expect(again.outbox.replicas).toEqual([ORIGIN])
    const found = await again.outbox.replica(ORIGIN)
    expect(await linesIn(found)).toEqual(await allOf(a.outbox))
    expect(found.end('readings')).toEqual({ next: 23, lineage: await a.outbox.lane('readings').lineageAt(23) })
  })

  it('takes what it has for known, and of a block that it has in part the rest', async () => {
    const a = await source(10)
    const b = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    const lines = await allOf(a.outbox)
    replica.fill('readings', { from: 0, to: 2, gaps: [], lines: lines.slice(0, 3) }, 1)
    await copyAll(a.outbox, replica)
    await copyAll(a.outbox, replica)
    await durable(b.outbox)
    expect(await linesIn(replica)).toEqual(lines)
  })

  it('is filled from a pack that declares holes', async () => {
    const b = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    const gaps = [{ from: 2, to: 3, reason: 'repeated' as const }]
    const fresh = replica.fill('readings', { from: 0, to: 5, gaps, lines: ['a', 'b', 'e', 'f'] }, 1)
    expect(fresh).toEqual([
      { offset: 0, line: 'a' },
      { offset: 1, line: 'b' },
      { offset: 4, line: 'e' },
      { offset: 5, line: 'f' },
    ])
    // What it has already is not new.
    expect(replica.fill('readings', { from: 4, to: 6, gaps: [], lines: ['e', 'f', 'g'] }, 1)).toEqual([
      { offset: 6, line: 'g' },
    ])
    await durable(b.outbox)
    expect(await linesIn(replica)).toEqual(['a', 'b', 'e', 'f', 'g'])
    // Its running checksums are not those of the gateway any more, and it does not claim so.
    expect(await replica.lane('readings').lineageAt(7)).toBeNull()
  })

  it('learns from a pack what was left out of it, also where it has the record', async () => {
    const a = await source(6)
    const b = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    await copyAll(a.outbox, replica)
    const sum = replica.end('readings')
    const gaps = [{ from: 3, to: 5, reason: 'repeated' as const }]
    expect(replica.fill('readings', { from: 2, to: 5, gaps, lines: ['c'] }, 1)).toEqual([])
    expect([2, 3, 4, 5].map((offset) => replica.isMissing(offset))).toEqual([false, true, true, true])
    expect(replica.end('readings')).toEqual(sum)
    // In part beyond what it has.
    replica.fill('readings', { from: 5, to: 7, gaps: [{ from: 5, to: 6, reason: 'repeated' }], lines: ['h'] }, 1)
    expect([6, 7].map((offset) => replica.isMissing(offset))).toEqual([true, false])
    expect(replica.end('readings').next).toBe(8)
    await durable(b.outbox)
  })

  it('may be sent from where it begins, behind what its gateway did not have any more', async () => {
    const a = await source(10)
    const b = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    replica.declare('readings', { from: 0, to: 4, reason: 'trimmed' })
    await copyAll(a.outbox, replica, 5)
    await durable(b.outbox)
    const lane = replica.lane('readings')
    const slice = await lane.read(0, 1e6)
    expect(slice).toMatchObject({ from: 0, next: 10, count: 5 })
    expect(lane.lend(slice)).toBe(true)
    replica.declare('readings', { from: 9, to: 9, reason: 'repeated' })
    expect(lane.lend(slice)).toBe(false)
  })

  it('refuses what does not go on where it ends', async () => {
    const a = await source(15)
    const other = await source(15)
    await other.put(reading(99))
    const b = await openOutbox({ disk: new MemoryDisk(), dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    const { blocks } = await a.outbox.blocks('readings', 0, 1e9)
    const [first, , third] = blocks
    if (!first || !third) throw new Error('three blocks were expected')
    replica.accept('readings', first.value)
    expect(() => replica.accept('readings', third.value)).toThrow(/was sent/)
    const damaged = Buffer.from(third.value)
    damaged[60] = (damaged[60] ?? 0) ^ 1
    expect(() => replica.accept('readings', damaged)).toThrow(/damaged/)
  })

  it('goes with the commit that is under way, and not with one that fails', async () => {
    const disk = new MemoryDisk()
    const a = await source(5)
    const b = await openOutbox({ disk, dir: '/b' })
    const replica = await b.outbox.replica(ORIGIN)
    await durable(b.outbox)
    await copyAll(a.outbox, replica)
    disk.powerCut()
    await b.outbox.close().catch(() => undefined)
    const again = await openOutbox({ disk, dir: '/b' })
    expect((await again.outbox.replica(ORIGIN)).end('readings').next).toBe(0)
  })

  it('is trimmed where its gateway trims, and dropped as a whole', async () => {
    const disk = new MemoryDisk()
    const b = await openOutbox({ disk, dir: '/b' })
    const a = await openOutbox({
      disk: new MemoryDisk(),
      dir: '/a',
      settings: { block: { maxRecords: 100_000, maxBytes: 600_000, spacing: 0 } },
    })
    for (let round = 0; round < 6; round++) {
      for (let seq = 0; seq < 4_999; seq++) void a.put(reading(round * 5_000 + seq))
      await a.put(reading(round * 5_000 + 4_999))
    }
    const replica = await b.outbox.replica(ORIGIN)
    await copyAll(a.outbox, replica)
    await durable(b.outbox)
    const { head } = replica.lane('readings')
    await replica.follow('readings', { next: head, sequence: 7 }, head)
    const { tail } = replica.lane('readings')
    expect(tail).toBeGreaterThan(0)
    expect((await replica.lane('readings').read(tail, 1e3)).from).toBe(tail)
    await b.outbox.dropReplica(ORIGIN)
    expect(b.outbox.replicas).toEqual([])
    expect((await b.outbox.replica(ORIGIN)).end('readings').next).toBe(0)
  })
})
