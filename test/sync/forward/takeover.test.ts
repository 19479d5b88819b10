import { describe, expect, it } from 'vitest'
import { HEADERS, STREAMS } from '../../../sync/contract/index.ts'
import { type Carried, type Forwarder, survivorStanding } from '../../../sync/forward/index.ts'
import { NO_FAULTS, SimulatedCentre } from '../../../sync/link/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { done, forwarderOf, packsOf, SILENT, someFaults, Way } from './support/party.ts'
import { ToyLane } from './support/toy-lane.ts'

const SUBJECT = 'readings.site.gw'

/** A gateway, and another one that has a copy of its lane. */
class World {
  readonly clock = new SimulatedClock()
  readonly centre: SimulatedCentre
  readonly random: ReturnType<typeof seededRandom>
  readonly lane = new ToyLane('readings')
  readonly copy = new ToyLane('readings')
  readonly ways: { owner: Way; survivor: Way }
  readonly told: string[] = []
  owner: Forwarder
  readonly survivor: Forwarder
  carried: Carried | null = null

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.centre = new SimulatedCentre(this.clock, seededRandom(seed + 1))
    this.ways = { owner: new Way(this.centre), survivor: new Way(this.centre) }
    this.owner = this.#startOwner()
    this.survivor = forwarderOf(this.ways.survivor, this.clock, this.random, { gateway: 'other', lanes: {} })
  }

  #startOwner(): Forwarder {
    return forwarderOf(this.ways.owner, this.clock, this.random, { gateway: 'gw', lanes: { readings: this.lane } })
  }

  fill(count: number): void {
    for (let i = 0; i < count; i++) this.lane.add(JSON.stringify({ n: this.lane.lines.length }))
  }

  /** The copy hears of some more records. */
  replicate(count: number): void {
    this.copy.add(...this.lane.lines.slice(this.copy.lines.length, this.copy.lines.length + count))
  }

  async restartOwner(): Promise<void> {
    // What was written of the cursor may be old.
    if (this.random.next() < 0.3) this.lane.cursor = { ...this.#oldCursor }
    await done(this.clock, this.owner.stop())
    if (this.random.next() < 0.3) this.lane.cursor = { ...this.#oldCursor }
    this.#oldCursor = this.lane.cursor
    this.owner = this.#startOwner()
  }
  #oldCursor = this.lane.cursor

  takeOver(events = new ToyLane('events')): void {
    const deadletters = new ToyLane('deadletters')
    this.carried ??= this.survivor.carry(
      {
        gateway: 'gw',
        lanes: (lane) => ({ readings: this.copy, deadletters, events })[lane],
        standing: survivorStanding,
      },
      { ...SILENT, stoodDown: (lane, reason) => this.told.push(`${lane}: ${reason}`) },
    )
  }

  async giveBack(): Promise<void> {
    const { carried } = this
    this.carried = null
    if (carried) await done(this.clock, carried.stop())
  }

  async end(): Promise<void> {
    await done(this.clock, this.owner.stop(), this.survivor.stop())
  }

  /** Every record of the lane once, in order, and by writers whose terms only grow. */
  async check(): Promise<void> {
    let next = 0
    let term = 0
    for (const pack of await packsOf(this.centre, SUBJECT)) {
      expect(pack.from).toBe(next)
      expect(pack.term).toBeGreaterThanOrEqual(term)
      expect(pack.lines).toEqual(this.lane.lines.slice(pack.from, pack.to + 1))
      next = pack.to + 1
      term = pack.term
    }
    expect(next).toBe(this.lane.lines.length)
  }
}

describe('a lane that is taken over', () => {
  it('goes on where its owner stopped, and its owner goes on behind that', async () => {
    const world = new World(1)
    world.fill(50)
    await world.clock.runUntil(() => world.lane.cursor.next === 50, 10_000)
    await done(world.clock, world.owner.stop())
    world.fill(50)
    world.replicate(80)
    world.takeOver()
    await world.clock.runUntil(() => world.carried?.drained === true, 10_000)
    expect((await packsOf(world.centre, SUBJECT)).at(-1)).toMatchObject({ to: 79, term: 2 })

    await world.restartOwner()
    await world.clock.runUntil(() => world.lane.cursor.next === 100, 10_000)
    expect((await packsOf(world.centre, SUBJECT)).at(-1)).toMatchObject({ to: 99, term: 3 })
    // Its copy may hear of the rest: the survivor has been outbid, and sends nothing.
    world.replicate(20)
    world.fill(10)
    world.replicate(10)
    await world.clock.advance(60_000)
    await world.check()
    expect((await packsOf(world.centre, SUBJECT)).at(-1)).toMatchObject({ to: 109, term: 3 })
    expect(world.told).toEqual(['readings: term 3 forwards this origin'])
    await world.end()
  })

  it('is left alone by a copy that ends earlier than what the centre has, until the copy has grown', async () => {
    const world = new World(2)
    world.fill(40)
    world.replicate(10)
    await world.clock.runUntil(() => world.lane.cursor.next === 40, 10_000)
    await done(world.clock, world.owner.stop())
    world.takeOver()
    await world.clock.advance(5000)
    expect(world.copy.cursor.next).toBe(10)
    world.fill(10)
    world.replicate(40)
    await world.clock.runUntil(() => world.carried?.drained === true, 20_000)
    await world.check()
    await world.end()
  })

  it('is not taken for read up to its end by a copy that ends earlier', async () => {
    const world = new World(3)
    world.fill(10)
    world.replicate(10)
    await world.clock.runUntil(() => world.lane.cursor.next === 10, 10_000)
    world.copy.cursor = world.lane.cursor
    const { sequence } = world.copy.cursor
    world.fill(30)
    await world.clock.runUntil(() => world.lane.cursor.next === 40, 10_000)
    await done(world.clock, world.owner.stop())
    world.takeOver()
    await world.clock.advance(5000)
    expect(world.copy.cursor).toMatchObject({ next: 10, sequence })
    await world.end()
  })

  it('is carried over every session, its alarms too', async () => {
    const world = new World(4)
    await done(world.clock, world.owner.stop())
    const events = new ToyLane('events')
    const tell = (transition: number): void =>
      events.add(
        JSON.stringify({
          id: `e${transition}`,
          device: 'd1',
          rule: 'hot',
          transition,
          since: 1000,
          type: 'tidegate.alarm.raised',
          time: 1000 + transition,
          data: {},
        }),
      )
    tell(1)
    world.takeOver(events)
    await world.clock.advance(2000)
    world.ways.survivor.cut()
    world.fill(5)
    world.replicate(5)
    tell(2)
    await world.clock.advance(2000)
    expect(world.carried?.drained).toBe(false)
    world.ways.survivor.open = true
    await world.clock.runUntil(() => world.carried?.drained === true && events.cursor.next === 2, 10_000)
    const stored = world.centre.messages(STREAMS.events).map(({ headers }) => headers)
    expect(stored.map((headers) => headers.get(HEADERS.transition))).toEqual(['1', '2'])
    expect(stored[1]?.get('ce-source')).toBe('/sites/site/gateways/gw')
    await world.check()
    await world.giveBack()
    // Nothing of it is left on the sessions that follow.
    world.fill(5)
    world.replicate(5)
    world.ways.survivor.cut()
    world.ways.survivor.open = true
    await world.clock.advance(20_000)
    expect(world.copy.cursor.next).toBe(5)
    await world.end()
  })

  it('is let go of only when nothing of it is on its way', async () => {
    const world = new World(3)
    await done(world.clock, world.owner.stop())
    world.fill(4000)
    world.replicate(4000)
    world.centre.latency = 50
    world.takeOver()
    await world.clock.advance(2000)
    await world.giveBack()
    const stored = world.centre.messages(STREAMS.readings).length
    expect(stored).toBeGreaterThan(2)
    expect(world.copy.cursor.next).toBeLessThan(4000)
    await world.clock.advance(10_000)
    expect(world.centre.messages(STREAMS.readings).length).toBe(stored)
    await world.end()
  })
})

const SEEDS = Number(process.env['TEST_SEEDS'] ?? 40)

describe('an owner and a survivor that fight over one chain', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
    'store every record once, in order (seed %i)',
    async (seed) => {
      const world = new World(seed)
      const { random, clock, centre, ways } = world
      // A sequence that is given out again may be what somebody else still expects, or what is on its way expects: a centre that
      // forgets is a matter of one writer, and of a network that forgets, too.
      const forgets = seed % 2 === 1
      for (let step = 0; step < 60; step++) {
        const dice = random.next()
        if (dice < 0.3) {
          world.fill(Math.floor(random.next() * 30))
          await clock.advance(random.next() * 50)
        } else if (dice < 0.5) world.replicate(Math.floor(random.next() * 40))
        else if (dice < 0.6) await clock.advance(random.next() * 3000)
        else if (dice < 0.66) centre.faults = { ...someFaults(random), ...(forgets ? { late: 0 } : {}) }
        else if (dice < 0.7) centre.faults = NO_FAULTS
        else if (dice < 0.8) world.takeOver()
        else if (dice < 0.84) await world.giveBack()
        else if (dice < 0.88) await world.restartOwner()
        else if (dice < 0.97) {
          const way = random.next() < 0.5 ? ways.owner : ways.survivor
          if (way.open) way.cut()
          else way.open = true
        } else if (forgets && !world.carried && centre.messages(STREAMS.readings).length > 0)
          centre.forget(STREAMS.readings, 1 + Math.floor(random.next() * 3))
      }
      centre.faults = NO_FAULTS
      for (const way of [ways.owner, ways.survivor]) way.open = true
      world.replicate(1000)
      await clock.runUntil(() => world.lane.cursor.next === world.lane.durable, 300_000)
      // What the centre forgot last is noticed by whoever looks.
      await clock.advance(60_000)
      await clock.runUntil(() => world.lane.cursor.next === world.lane.durable, 300_000)
      await world.end()
      await world.check()
    },
  )
})
