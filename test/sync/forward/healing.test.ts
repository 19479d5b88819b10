import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeLine, encodeLine, HEADERS, STREAMS, type ThresholdEvent } from '../../../sync/contract/index.ts'
import {
  decodePackBody,
  decodePackFacts,
  type ForwardEvents,
  Forwarder,
  type ForwarderSettings,
  type Gap,
} from '../../../sync/forward/index.ts'
import { SimulatedCentre } from '../../../sync/link/index.ts'
import { streamPlans } from '../../../sync/provision/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { append, fill, range } from '../../gateway/outbox/support/lane.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'

// A thread that compresses takes real time, of which a simulated clock knows nothing: hours may pass meanwhile.
vi.mock('node:zlib', async (original) => {
  const zlib = await original<typeof import('node:zlib')>()
  type Callback = (error: Error | null, result: Buffer) => void
  return {
    ...zlib,
    gzip: (body: Buffer, options: object, done: Callback) => done(null, zlib.gzipSync(body, options)),
  }
})

const SETTINGS: ForwarderSettings = {
  site: 'site',
  gateway: 'gw',
  pack: { minBytes: 500, maxBytes: 4000, target: 200, compress: 'none', linger: 5, ackTimeout: 1000 },
  pace: { bytesPerSecond: Number.POSITIVE_INFINITY, packsPerSecond: Number.POSITIVE_INFINITY, jitter: 0 },
  breaker: { failures: 5, cooldown: 500 },
  retry: { min: 20, max: 300 },
  stallAfter: 10_000,
  provision: streamPlans({ replicas: 1, storage: 'memory', maxBytes: -1, maxAge: 0 }),
}

interface Gateway extends TestOutbox {
  forwarder: Forwarder
  /** What the forwarder said, in words. */
  told: string[]
  stop(): Promise<void>
}

class World {
  readonly clock = new SimulatedClock()
  readonly centre = new SimulatedCentre(this.clock, seededRandom(1))

  async gateway(
    disk: MemoryDisk,
    settings: Partial<ForwarderSettings> = {},
    outbox: Parameters<typeof openOutbox>[0]['settings'] = {},
  ): Promise<Gateway> {
    const { clock } = this
    const box = await openOutbox({
      disk,
      dir: '/data',
      clock,
      settings: outbox,
      owner: { site: 'site', gateway: settings.gateway ?? 'gw' },
    })
    const told: string[] = []
    const events: ForwardEvents = {
      linkUp() {},
      linkDown() {},
      stored() {},
      rewound: (lane, from, why) => told.push(`rewound ${lane} ${from} ${why}`),
      declared: (lane, gap) => told.push(`declared ${lane} ${gap.from}-${gap.to} ${gap.reason}`),
      rival: (lane) => told.push(`rival ${lane}`),
      stoodDown: (lane) => told.push(`stood down ${lane}`),
      troubled: (lane, error) =>
        told.push(`troubled ${lane} ${error instanceof Error ? error.message : String(error)}`),
    }
    const forwarder = new Forwarder({
      dialer: this.centre,
      lane: (lane) => box.outbox.lane(lane),
      latest: () => [...box.machine.lastReadings()].map((last) => encodeLine(last)),
      settings: { ...SETTINGS, ...settings },
      clock,
      random: seededRandom(2),
      events,
    })
    forwarder.start()
    const stop = async (): Promise<void> => {
      let stopped = false
      void Promise.allSettled([forwarder.stop().then(() => box.outbox.close())]).then(() => {
        stopped = true
      })
      await clock.runUntil(() => stopped, 60_000)
    }
    onTestFinished(stop)
    return { ...box, forwarder, told, stop }
  }

  async drained({ outbox }: Gateway): Promise<void> {
    const drained = (): boolean => Object.values(outbox.status().lanes).every(({ pending }) => pending === 0)
    await this.clock.runUntil(drained, 300_000)
  }

  /** What is stored of a gateway's readings, in order: `seq`, and the declared holes. */
  async stored(subject = 'readings.site.gw'): Promise<{ seqs: number[]; gaps: Gap[]; epochs: Set<string> }> {
    const seqs: number[] = []
    const gaps: Gap[] = []
    const epochs = new Set<string>()
    for (const message of this.centre.messages(STREAMS.readings).filter((one) => one.subject === subject)) {
      const facts = decodePackFacts((name) => message.headers.get(name))
      epochs.add(facts.epoch)
      gaps.push(...facts.gaps)
      const encoding = message.headers.get(HEADERS.contentEncoding)
      for (const line of await decodePackBody(facts, message.body, encoding)) seqs.push(decodeLine(line).seq ?? -1)
    }
    return { seqs, gaps, epochs }
  }
}

describe('a centre that forgot', () => {
  it('everything of a gateway, and grew again by others since, is sent it again', async () => {
    const world = new World()
    const other = await world.gateway(new MemoryDisk(), { gateway: 'other' })
    await fill(other, 1, 100, 10)
    await world.drained(other)
    const disk = new MemoryDisk()
    const ours = await world.gateway(disk)
    await fill(ours, 1, 60, 10)
    await world.drained(ours)
    await ours.stop()
    const { sequence } = ours.outbox.lane('readings').cursor
    const before = world.centre
      .messages(STREAMS.readings)
      .filter(({ subject }) => subject === 'readings.site.other').length
    world.centre.forget(STREAMS.readings, world.centre.messages(STREAMS.readings).length - before)
    // The other gateway makes the stream as long as it was, and longer.
    await fill(other, 101, 400, 10)
    await world.drained(other)
    expect((await world.stored()).seqs).toEqual([])
    expect(world.centre.messages(STREAMS.readings).at(-1)?.sequence).toBeGreaterThan(sequence)

    const again = await world.gateway(disk)
    await fill(again, 61, 70, 10)
    await world.drained(again)
    expect((await world.stored()).seqs).toEqual(range(1, 70))
    expect(again.told).toContain('rewound readings 0 truncated')
    expect((await world.stored('readings.site.other')).seqs).toEqual(range(1, 400))
  })

  it('more than is retained gets what there is, and is told what is missing', async () => {
    const world = new World()
    const disk = new MemoryDisk()
    const gateway = await world.gateway(
      disk,
      { pack: { ...SETTINGS.pack, minBytes: 60_000, maxBytes: 200_000 } },
      { retainAcked: { bytes: 0, age: 0 } },
    )
    await fill(gateway, 1, 40_000, 4000)
    await world.drained(gateway)
    await world.clock.advance(3000)
    const { tail } = gateway.outbox.lane('readings')
    expect(tail).toBeGreaterThan(5000)
    world.centre.forget(STREAMS.readings, world.centre.messages(STREAMS.readings).length - 1)
    const first = (await world.stored()).seqs
    expect(first.length).toBeLessThan(tail)
    world.centre.cut()
    world.centre.heal()
    await world.clock.advance(2000)
    await world.drained(gateway)
    const { seqs, gaps } = await world.stored()
    expect(gaps).toEqual([{ from: first.length, to: tail - 1, reason: 'trimmed' }])
    expect(seqs).toEqual([...first, ...range(tail + 1, 40_000)])
    expect(gateway.said).toEqual([])
    expect(gateway.told).toContain(`declared readings ${first.length}-${tail - 1} trimmed`)
  })
})

describe('an outbox that was restored from a copy', () => {
  it('sends what only it has under a new epoch, and nothing that is there already', async () => {
    const world = new World()
    const disk = new MemoryDisk()
    const first = await world.gateway(disk)
    await fill(first, 1, 50, 10)
    await world.drained(first)
    // More is stored, and the copy is made before its cursor is written and while the link is down.
    world.centre.cut()
    await fill(first, 51, 80, 10)
    const copy = disk.copy()
    world.centre.heal()
    await world.drained(first)
    await fill(first, 81, 120, 10)
    await world.drained(first)
    await first.stop()
    expect((await world.stored()).seqs).toEqual(range(1, 120))

    const restored = await world.gateway(copy)
    await fill(restored, 1001, 1030, 10)
    await world.drained(restored)
    const { seqs, epochs } = await world.stored()
    expect(epochs.size).toBe(2)
    expect(restored.said).toEqual(['epoch'])
    expect(seqs).toEqual([...range(1, 120), ...range(1001, 1030)])
  })
})

describe('a record that no message can hold', () => {
  it('is declared, and those around it go on', async () => {
    const world = new World()
    world.centre.maxPayload = 10_000
    const gateway = await world.gateway(new MemoryDisk())
    const noise = randomBytes(20_000).toString('base64')
    for (const seq of range(1, 5)) await gateway.put(reading(seq, seq === 3 ? { labels: { noise } } : {}))
    await world.drained(gateway)
    const { seqs, gaps } = await world.stored()
    expect(seqs).toEqual([1, 2, 4, 5])
    expect(gaps).toEqual([{ from: 2, to: 2, reason: 'oversize' }])
  })

  it('is sent when it fits compressed', async () => {
    const world = new World()
    world.centre.maxPayload = 10_000
    const gateway = await world.gateway(new MemoryDisk())
    await gateway.put(reading(1, { labels: { same: 'x'.repeat(20_000) } }))
    await world.drained(gateway)
    expect((await world.stored()).seqs).toEqual([1])
  })

  it('is not what a full pack becomes that does not shrink', async () => {
    const world = new World()
    world.centre.maxPayload = 12_000
    // Packs as large as the server takes, of lines that gzip makes longer.
    const pack = { ...SETTINGS.pack, minBytes: 12_000 - 4096, maxBytes: 12_000, compress: 'gzip' as const }
    const gateway = await world.gateway(new MemoryDisk(), { pack })
    const lines = Array.from({ length: 60 }, () =>
      String.fromCodePoint(...randomBytes(400).map((byte) => byte | 0x100)),
    )
    for (const [i, text] of lines.entries()) await gateway.put(reading(i + 1, { labels: { text } }))
    await world.drained(gateway)
    const { seqs, gaps } = await world.stored()
    expect(gaps).toEqual([])
    expect(seqs).toEqual(range(1, 60))
  })
})

describe('an event that cannot be made a message', () => {
  it('is reported and does not hold up those behind it', async () => {
    const world = new World()
    const gateway = await world.gateway(new MemoryDisk())
    const event = (transition: number, extra: Partial<ThresholdEvent> = {}): string =>
      JSON.stringify({
        id: `e${transition}`,
        device: 'd1',
        rule: 'hot',
        transition,
        since: 1_700_000_000_000,
        type: 'tidegate.alarm.raised',
        time: 1_700_000_000_000,
        data: {},
        ...extra,
      })
    await append(gateway.outbox, 'events', event(1))
    await append(gateway.outbox, 'events', event(1, { device: '' }))
    await append(gateway.outbox, 'events', event(1, { rule: 'cold', time: 1e300 }))
    await append(gateway.outbox, 'events', '{"id":')
    await append(gateway.outbox, 'events', event(2))
    await world.drained(gateway)
    const stored = world.centre.messages(STREAMS.events)
    expect(stored.map(({ subject, headers }) => `${subject} ${headers.get(HEADERS.transition)}`)).toEqual([
      'events.site.d1.hot 1',
      'events.site.d1.hot 2',
    ])
    expect(gateway.told.filter((text) => text.startsWith('troubled events')).length).toBe(3)
  })
})

describe('two gateways of the same name', () => {
  it('do no harm to each other, and both are told', async () => {
    const world = new World()
    const [one, two] = [await world.gateway(new MemoryDisk()), await world.gateway(new MemoryDisk())]
    for (let round = 0; round < 5; round++) {
      await fill(one, 1 + round * 10, 10 + round * 10, 5)
      await fill(two, 1001 + round * 10, 1010 + round * 10, 5)
      await world.clock.advance(200)
    }
    await world.drained(one)
    await world.drained(two)
    const { seqs } = await world.stored()
    expect(seqs.filter((seq) => seq < 1000)).toEqual(range(1, 50))
    expect(seqs.filter((seq) => seq > 1000)).toEqual(range(1001, 1050))
    expect([...one.told, ...two.told]).toContain('rival readings')
  })
})
