import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HEADERS, readingsSubject, STREAMS } from '../../../sync/contract/index.ts'
import {
  type Clearance,
  type Fencing,
  type Forwarder,
  type LearntPack,
  raiseFence,
  readChain,
} from '../../../sync/forward/index.ts'
import { type CentralSession, NO_FAULTS, SimulatedCentre } from '../../../sync/link/index.ts'
import { type Random, SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { done, forwarderOf, packsOf, SETTINGS, someFaults, Way } from './support/party.ts'
import { ToyLane } from './support/toy-lane.ts'

const idOf = (line: string): string => (JSON.parse(line) as { id: string }).id

/** One of two gateways that never see each other, only each other's chains. */
class Loner implements Clearance {
  readonly name: string
  readonly lane: ToyLane
  readonly way: Way
  readonly #other: string
  readonly #clock: SimulatedClock
  readonly #random: Random
  /** What the other one has sent, as far as its chain was read. */
  readonly #left = new Set<string>()
  #seen = 0
  #begun = false
  fences = 0
  forwarder: Forwarder

  constructor(name: string, other: string, centre: SimulatedCentre, clock: SimulatedClock, random: Random) {
    this.name = name
    this.#other = other
    this.#clock = clock
    this.#random = random
    this.lane = new ToyLane('readings', `epoch-${name}`)
    this.lane.cleared = 0
    this.way = new Way(centre)
    this.forwarder = this.#start()
  }

  #start(): Forwarder {
    const { lane, name } = this
    return forwarderOf(this.way, this.#clock, this.#random, {
      gateway: name,
      lanes: { readings: lane },
      clearance: this,
    })
  }

  async restart(): Promise<void> {
    await done(this.#clock, this.forwarder.stop())
    this.lane.cleared = 0
    this.#begun = false
    this.forwarder = this.#start()
  }

  hear(id: string): void {
    const { lane } = this
    if (this.#left.has(id)) lane.repeated.add(lane.durable)
    if (this.#begun) lane.cleared = lane.durable + 1
    lane.add(JSON.stringify({ id }))
  }

  async arbitrate(session: CentralSession, { upTo }: Fencing): Promise<void> {
    const before = this.#seen
    this.#seen = await raiseFence(session, {
      stream: STREAMS.readings,
      subject: readingsSubject('site', this.#other),
      by: this.name,
      inPlaceOf: null,
      after: before,
      newerThan: upTo,
      ackTimeout: 1000,
      learn: async ({ lines, sequence }) => {
        expect(sequence).toBeGreaterThan(this.#seen)
        this.#seen = sequence
        for (const line of lines) this.#left.add(idOf(line))
      },
    })
    if (this.#seen !== before) this.fences++
    const { lane } = this
    for (let offset = lane.cursor.next; offset < lane.durable; offset++)
      if (this.#left.has(idOf(lane.lines[offset] ?? ''))) lane.repeated.add(offset)
    this.#begun = true
    lane.cleared = lane.durable
    lane.grew()
  }
}

async function pair(seed: number, steps: number): Promise<void> {
  const clock = new SimulatedClock()
  const random = seededRandom(seed)
  const centre = new SimulatedCentre(clock, seededRandom(seed + 1))
  const one = new Loner('g', 'p', centre, clock, random)
  const two = new Loner('p', 'g', centre, clock, random)
  const both = [one, two]
  const heard = new Set<string>()
  const either = (): Loner => (random.next() < 0.5 ? one : two)
  for (let step = 0; step < steps; step++) {
    const dice = random.next()
    if (dice < 0.6) {
      for (let i = Math.floor(random.next() * 12); i >= 0; i--) {
        const id = `${step}-${i}`
        heard.add(id)
        // A device that got no answer here says it again there, sooner or later.
        const first = either()
        first.hear(id)
        if (random.next() < 0.6) {
          if (random.next() < 0.3) await clock.advance(random.next() * 20)
          for (const other of both) if (other !== first) other.hear(id)
        }
      }
      await clock.advance(random.next() * 200)
    } else if (dice < 0.7) await clock.advance(random.next() * 3000)
    else if (dice < 0.77) centre.faults = someFaults(random)
    else if (dice < 0.82) centre.faults = NO_FAULTS
    else if (dice < 0.88) await either().restart()
    else {
      const { way } = either()
      if (way.open) way.cut()
      else way.open = true
    }
  }
  centre.faults = NO_FAULTS
  for (const { way } of both) way.open = true
  await clock.runUntil(() => both.every(({ lane }) => lane.cursor.next === lane.durable), 600_000)
  await done(clock, ...both.map(({ forwarder }) => forwarder.stop()))

  const landed: string[] = []
  for (const { name, lane } of both) {
    let next = 0
    for (const { from, to, lines } of await packsOf(centre, readingsSubject('site', name))) {
      expect(from).toBe(next)
      next = to + 1
      landed.push(...lines.map(idOf))
    }
    expect(next).toBe(lane.durable)
  }
  expect(landed.filter((id, i) => landed.indexOf(id) !== i)).toEqual([])
  expect(new Set(landed)).toEqual(heard)
}

const SEEDS = Number(process.env['TEST_SEEDS'] ?? 40)

describe('two gateways that cannot see each other', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'store every reading that they heard once between them (seed %i)',
    (seed) => pair(seed, 50),
  )

  it('put one fence on the chain of one that is dead, however much is sent', async () => {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const one = new Loner('g', 'p', centre, clock, seededRandom(2))
    for (let i = 0; i < 200; i++) {
      one.hear(`${i}`)
      await clock.advance(20)
      if (i % 20 === 0) {
        one.way.cut()
        await clock.advance(100)
        one.way.open = true
      }
    }
    await clock.runUntil(() => one.lane.cursor.next === one.lane.durable, 60_000)
    expect(one.fences).toBe(1)
    await done(clock, one.forwarder.stop())
  })
})

describe('what may leave', () => {
  /** A lane of which less may leave once it was read. */
  class Shrinking extends ToyLane {
    override async read(from: number, maxBytes: number) {
      const slice = await super.read(from, maxBytes)
      if (this.cleared === 30) this.cleared = 5
      return slice
    }
  }

  it('can become less: what was read already is not sent', async () => {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const lane = new Shrinking('readings')
    for (let i = 0; i < 40; i++) lane.add(JSON.stringify({ id: `${i}` }))
    lane.cleared = 30
    const forwarder = forwarderOf(centre, clock, seededRandom(2), { gateway: 'gw', lanes: { readings: lane } })
    await clock.advance(10_000)
    expect((await packsOf(centre, 'readings.site.gw')).at(-1)).toMatchObject({ to: 4 })
    lane.repeated.add(5)
    lane.cleared = 20
    lane.grew()
    await clock.advance(10_000)
    expect(lane.cursor.next).toBe(20)
    lane.cleared = 40
    lane.grew()
    await clock.advance(10_000)
    const packs = await packsOf(centre, 'readings.site.gw')
    expect(packs.flatMap(({ lines }) => lines)).toEqual(lane.lines.filter((_, i) => i !== 5))
    await done(clock, forwarder.stop())
  })

  it('is decided before anything is sent, and again when others have written', async () => {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const lane = new ToyLane('readings')
    const asked: Fencing[] = []
    let stored = 0
    const clearance: Clearance = {
      async arbitrate(_, fencing) {
        stored = centre.messages(STREAMS.readings).length
        asked.push(fencing)
        await new Promise<void>((resolve) => clock.after(1000, resolve))
        // What is decided here holds for what is sent behind it, whatever was read before.
        lane.repeated.add(lane.cursor.next)
        expect(centre.messages(STREAMS.readings).length).toBe(stored)
      },
    }
    const forwarder = forwarderOf(centre, clock, seededRandom(2), {
      gateway: 'gw',
      lanes: { readings: lane },
      clearance,
    })
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) lane.add(JSON.stringify({ id: `${lane.durable}` }))
      await clock.advance(5000)
    }
    await fill()
    await fill()
    expect(asked).toEqual([{ fencedBy: [], inPlaceOf: [], upTo: 0 }])
    const fence = centre.append(
      {
        stream: STREAMS.readings,
        subject: 'readings.site.gw',
        headers: [
          [HEADERS.fence, 'hall=203'],
          [HEADERS.fenceFor, 'line=202 gw-9'],
        ],
        body: new Uint8Array(),
      },
      null,
    )
    await fill()
    expect(asked.slice(1)).toEqual([{ fencedBy: ['hall 3'], inPlaceOf: ['line 2', 'gw-9'], upTo: fence }])
    // Another session begins with asking; nothing new has come.
    centre.cut()
    centre.heal()
    await fill()
    expect(asked.slice(2)).toEqual([{ fencedBy: [], inPlaceOf: [], upTo: fence }])
    const packs = await packsOf(centre, 'readings.site.gw')
    expect([...lane.repeated].sort((a, b) => a - b)).toEqual([0, 80, 120])
    expect(packs.flatMap(({ lines }) => lines)).toEqual(lane.lines.filter((_, i) => !lane.repeated.has(i)))
    await done(clock, forwarder.stop())
  })
})

describe('a fence', () => {
  const target = { stream: STREAMS.readings, subject: readingsSubject('site', 'gw') }
  const none = async (): Promise<void> => undefined

  async function world() {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    let session: CentralSession | null = null
    void centre.dial(new AbortController().signal).then((made) => {
      session = made
    })
    await clock.runUntil(() => session !== null, 1000)
    for (const plan of SETTINGS.provision) centre.provision(plan)
    const now = async <T>(promise: Promise<T>): Promise<T> => {
      await done(clock, promise)
      return promise
    }
    const lane = new ToyLane('readings')
    const forwarder = forwarderOf(centre, clock, seededRandom(2), { gateway: 'gw', lanes: { readings: lane } })
    const settle = (): Promise<void> => clock.runUntil(() => lane.cursor.next === lane.durable, 60_000)
    return { clock, centre, session: session as unknown as CentralSession, now, lane, forwarder, settle }
  }

  const order = (
    more: {
      after?: number
      newerThan?: number
      inPlaceOf?: string | null
      learn?: (pack: LearntPack) => Promise<void>
    } = {},
  ) => ({
    ...target,
    by: 'hall 3',
    inPlaceOf: null,
    after: 0,
    newerThan: 0,
    ackTimeout: 1000,
    learn: none,
    ...more,
  })

  it('repeats where the chain was, and its victim goes on behind it', async () => {
    const { centre, session, now, lane, settle, forwarder, clock } = await world()
    lane.add('{"id":"a"}', '{"id":"b"}')
    await settle()
    const learnt: LearntPack[] = []
    const sequence = await now(raiseFence(session, order({ learn: async (pack) => void learnt.push(pack) })))
    expect(learnt.flatMap(({ lines }) => lines)).toEqual(lane.lines)
    const { headers, body } = centre.messages(STREAMS.readings).at(-1) ?? { headers: new Map(), body: null }
    expect(Object.fromEntries(headers)).toMatchObject({
      [HEADERS.fence]: 'hall=203',
      [HEADERS.epoch]: 'epoch',
      [HEADERS.from]: '2',
      [HEADERS.to]: '1',
      [HEADERS.term]: '1',
      [HEADERS.count]: '0',
      [HEADERS.lineage]: ((await lane.lineageAt(2)) ?? 0).toString(16).padStart(8, '0'),
    })
    expect(body?.length).toBe(0)
    // Retention takes the packs: where the chain was is still told.
    centre.expire(STREAMS.readings, centre.messages(STREAMS.readings).length - 1)
    lane.add('{"id":"c"}')
    await settle()
    expect(await packsOf(centre, target.subject)).toMatchObject([{ from: 2, to: 2 }])
    expect(
      await now(readChain(session, order({ after: sequence, learn: async (pack) => void learnt.push(pack) }))),
    ).toBe(sequence + 1)
    expect(learnt.at(-1)).toMatchObject({ lines: ['{"id":"c"}'], facts: { from: 2 } })
    await done(clock, forwarder.stop())
  })

  it('of the same gateway serves until it may have been seen', async () => {
    const { centre, session, now, clock, forwarder } = await world()
    const first = await now(raiseFence(session, order()))
    expect(Object.fromEntries(centre.messages(STREAMS.readings)[0]?.headers ?? [])).toEqual({
      [HEADERS.fence]: 'hall=203',
      'Nats-Expected-Last-Subject-Sequence': '0',
    })
    expect(await now(raiseFence(session, order({ after: first })))).toBe(first)
    expect(await now(raiseFence(session, order({ newerThan: first - 1 })))).toBe(first)
    expect(await now(raiseFence(session, order({ newerThan: first })))).toBe(first + 1)
    expect(await now(raiseFence(session, { ...order({ after: first + 1 }), by: 'other' }))).toBe(first + 2)
    await done(clock, forwarder.stop())
  })

  it('names all in whose place those at the end of the chain are about to send, however many they are', async () => {
    const { centre, session, now, clock, forwarder, lane, settle } = await world()
    const named = () => centre.messages(STREAMS.readings).at(-1)?.headers.get(HEADERS.fenceFor)
    const first = await now(raiseFence(session, order()))
    expect(named()).toBeUndefined()
    // A fence that is there and does not say it does not serve.
    expect(await now(raiseFence(session, order({ inPlaceOf: 'line 2' })))).toBe(first + 1)
    expect(named()).toBe('line=202')
    expect(await now(raiseFence(session, order({ inPlaceOf: 'line 2' })))).toBe(first + 1)
    expect(await now(raiseFence(session, order()))).toBe(first + 1)
    expect(await now(raiseFence(session, { ...order({ inPlaceOf: 'gw-9' }), by: 'other' }))).toBe(first + 2)
    expect(await now(raiseFence(session, order()))).toBe(first + 3)
    expect(named()).toBe('line=202 gw-9')
    // Whoever writes a pack has read them all.
    lane.add('{"id":"a"}')
    await settle()
    expect(await now(raiseFence(session, order()))).toBe(first + 5)
    expect(named()).toBeUndefined()
    await done(clock, forwarder.stop())
  })

  it('comes after everything that was learnt, whoever writes meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.nat(1000), async (writes, seed) => {
        const { centre, session, now, lane, settle, forwarder, clock } = await world()
        const random = seededRandom(seed)
        centre.faults = { ...NO_FAULTS, staleRead: 0.4 }
        lane.add('{"id":"0"}')
        await settle()
        const learnt: LearntPack[] = []
        let raised: number | null = null
        let left = writes
        const raising = raiseFence(
          session,
          order({
            learn: async (pack) => {
              learnt.push(pack)
              if (left-- > 0) lane.add(`{"id":"${lane.durable}"}`)
              await new Promise<void>((resolve) => clock.after(random.next() * 12, resolve))
            },
          }),
        ).then((sequence) => {
          raised = sequence
        })
        await now(raising)
        const before = (await packsOf(centre, target.subject)).filter(({ sequence }) => sequence < (raised ?? 0))
        expect(learnt.map(({ sequence }) => sequence)).toEqual(before.map(({ sequence }) => sequence))
        await settle()
        await done(clock, forwarder.stop())
        const packs = await packsOf(centre, target.subject)
        expect(packs.flatMap(({ lines }) => lines)).toEqual(lane.lines)
      }),
      { numRuns: 40 },
    )
  })
})
