import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { encodeLine, HEADERS, type Lane, STREAMS, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { type ForwardEvents, Forwarder, type ForwarderSettings, type Overtaken } from '../../../sync/forward/index.ts'
import { NO_FAULTS, SimulatedCentre } from '../../../sync/link/index.ts'
import { streamPlans } from '../../../sync/provision/index.ts'
import { SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'
import { openOutbox, reading, type TestOutbox } from '../../support/outbox.ts'

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

const event = (device: string, transition: number, since = 1_700_000_000_000): ThresholdEvent => ({
  id: `too-hot/${device}/${since}/${transition}`,
  device,
  rule: 'too-hot',
  transition,
  since,
  type: transition % 2 === 1 ? 'tidegate.alarm.raised' : 'tidegate.alarm.cleared',
  time: 1_700_000_000_000 + transition,
  data: { value: 90 + transition },
})

/** A gateway whose forwarder notes in which order the centre took what. */
function forward(
  box: TestOutbox,
  centre: SimulatedCentre,
  clock: SimulatedClock,
  seed = 1,
  overtaken?: Overtaken,
): { forwarder: Forwarder; order: Lane[] } {
  const order: Lane[] = []
  const events: ForwardEvents = {
    linkUp() {},
    linkDown() {},
    stored: (lane) => order.push(lane),
    rewound() {},
    declared() {},
    rival() {},
    stoodDown() {},
    troubled() {},
  }
  const forwarder = new Forwarder({
    dialer: centre,
    lane: (lane) => box.outbox.lane(lane),
    latest: () => [...box.machine.lastReadings()].map((last) => encodeLine(last)),
    settings: SETTINGS,
    clock,
    random: seededRandom(seed),
    events,
    ...(overtaken ? { overtaken } : {}),
  })
  forwarder.start()
  return { forwarder, order }
}

async function stopAll(clock: SimulatedClock, forwarder: Forwarder, box: TestOutbox): Promise<void> {
  let stopped = false
  void forwarder.stop().then(async () => {
    await box.outbox.close()
    stopped = true
  })
  await clock.runUntil(() => stopped, 60_000)
}

const pending = (box: TestOutbox): number =>
  Object.values(box.outbox.status().lanes).reduce((sum, lane) => sum + lane.pending, 0)

describe('after an outage', () => {
  it('events overtake the backlog, and the last value of every series is there at once', async () => {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const box = await openOutbox({ disk: new MemoryDisk(), dir: '/data', clock })
    for (let seq = 0; seq < 500; seq++) await box.put(reading(seq, { device: `d${seq % 3}` }))
    for (const device of ['d0', 'd1']) box.outbox.append('events', JSON.stringify(event(device, 1)))
    await box.put(reading(500))
    const { forwarder, order } = forward(box, centre, clock)
    await clock.runUntil(() => pending(box) === 0, 60_000)
    expect(order[0]).toBe('events')
    expect(order.filter((lane) => lane === 'readings').length).toBeGreaterThan(5)
    await clock.runUntil(() => centre.messages(STREAMS.latest).length > 0, 1000)
    const [latest] = centre.messages(STREAMS.latest)
    expect(latest?.subject).toBe('latest.site.gw')
    const values = latest?.body
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { device: string; seq: number })
    expect(values?.map(({ device, seq }) => [device, seq]).sort()).toEqual(
      [
        ['d0', 498],
        ['d1', 499],
        ['d2', 497],
        ['d1', 500],
      ]
        .filter(([device, seq]) => !(device === 'd1' && seq === 499))
        .sort(),
    )
    await stopAll(clock, forwarder, box)
  })

  it('each event is a CloudEvent on its own alarm’s chain', async () => {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const box = await openOutbox({ disk: new MemoryDisk(), dir: '/data', clock })
    box.outbox.append('events', JSON.stringify(event('boiler 1', 1)))
    await box.put(reading(1))
    const { forwarder } = forward(box, centre, clock)
    await clock.runUntil(() => pending(box) === 0, 60_000)
    const [message] = centre.messages(STREAMS.events)
    expect(message?.subject).toBe('events.site.boiler=201.too-hot')
    expect(Object.fromEntries(message?.headers ?? [])).toMatchObject({
      'ce-specversion': '1.0',
      'ce-id': 'too-hot/boiler%201/1700000000000/1',
      'ce-type': 'tidegate.alarm.raised',
      'ce-source': '/sites/site/gateways/gw',
      [HEADERS.transition]: '1',
    })
    await stopAll(clock, forwarder, box)
  })
})

describe('an alarm that two gateways decided', () => {
  /** What each gateway tells of one alarm: kind and time of its transitions. */
  type Telling = readonly (readonly [kind: 'raised' | 'cleared', time: number])[]

  const tell = (telling: Telling, since = 1000): string[] =>
    telling.map(([kind, time], i) =>
      JSON.stringify({ ...event('d1', i + 1, since), type: `tidegate.alarm.${kind}`, time }),
    )

  /** One gateway tells of it, and then another one. What the second heard of being overtaken, and what it read. */
  async function fork(
    first: Telling,
    second: Telling,
    { sinces = [1000, 1000] as const, keep = 100 }: { sinces?: readonly [number, number]; keep?: number } = {},
  ) {
    const clock = new SimulatedClock()
    const centre = new SimulatedCentre(clock, seededRandom(1))
    const heard: (readonly [number, number])[] = []
    for (const [i, telling] of [first, second].entries()) {
      const box = await openOutbox({ disk: new MemoryDisk(), dir: '/data', clock })
      for (const line of tell(telling, sinces[i])) box.outbox.append('events', line)
      await box.put(reading(1))
      if (i === 1) centre.expire(STREAMS.events, Math.max(0, centre.messages(STREAMS.events).length - keep))
      const { forwarder } = forward(box, centre, clock, 1, (own, end) => {
        expect(i).toBe(1)
        heard.push([own.transition, end.transition])
      })
      await clock.runUntil(() => pending(box) === 0, 60_000)
      await stopAll(clock, forwarder, box)
    }
    const stored = centre.messages(STREAMS.events).map(({ body }) => {
      const { transition, type, time } = JSON.parse(body.toString('utf8')) as ThresholdEvent
      return [transition, type.replace('tidegate.alarm.', ''), time] as const
    })
    return { heard, stored }
  }

  it('in the same way is told once, and nobody hears of it', async () => {
    const same: Telling = [
      ['raised', 1000],
      ['cleared', 2000],
      ['raised', 3000],
    ]
    expect(await fork(same, same)).toEqual({ heard: [], stored: same.map(([kind, time], i) => [i + 1, kind, time]) })
    const { heard, stored } = await fork(same, [...same, ['cleared', 4000]])
    expect(heard).toEqual([])
    expect(stored.at(-1)).toEqual([4, 'cleared', 4000])
    expect((await fork([...same, ['cleared', 4000]], same)).heard).toEqual([])
  })

  it('in two ways is told as the first has it, and the second hears what became of it', async () => {
    const { heard, stored } = await fork(
      [
        ['raised', 1000],
        ['cleared', 2000],
        ['raised', 3000],
        ['cleared', 3500],
      ],
      [
        ['raised', 1000],
        ['cleared', 2500],
        ['raised', 3000],
        ['cleared', 3600],
        ['raised', 4000],
      ],
    )
    expect(heard).toEqual([
      [2, 4],
      [4, 4],
    ])
    expect(stored.map(([n, , time]) => [n, time])).toEqual([
      [1, 1000],
      [2, 2000],
      [3, 3000],
      [4, 3500],
      [5, 4000],
    ])
  })

  it('in two series is two alarms, and what retention took is not compared', async () => {
    const one: Telling = [
      ['raised', 1000],
      ['cleared', 2000],
    ]
    const other: Telling = [
      ['raised', 1100],
      ['cleared', 2100],
    ]
    const apart = await fork(one, other, { sinces: [1000, 1100] })
    expect(apart).toMatchObject({ heard: [], stored: { length: 4 } })
    expect((await fork(one, other, { keep: 1 })).heard).toEqual([[2, 2]])
  })
})

describe('events under faults', () => {
  it.each(Array.from({ length: Number(process.env['TEST_SEEDS'] ?? 20) }, (_, i) => i + 1))(
    'each transition of each alarm is stored once and in order (seed %i)',
    async (seed) => {
      const random = seededRandom(seed)
      const clock = new SimulatedClock()
      let disk = new MemoryDisk()
      const centre = new SimulatedCentre(clock, seededRandom(seed + 100))
      let box = await openOutbox({ disk, dir: '/data', clock })
      let { forwarder } = forward(box, centre, clock, seed)
      let since = 0
      const transitions = new Map<string, number>()
      for (let step = 0; step < 40; step++) {
        const dice = random.next()
        if (dice < 0.6) {
          const device = `d${Math.floor(random.next() * 4)}`
          const transition = (transitions.get(device) ?? 0) + 1
          transitions.set(device, transition)
          box.outbox.append('events', JSON.stringify(event(device, transition, since)))
          await box.put(reading(step))
          await clock.advance(random.next() * 100)
        } else if (dice < 0.7) {
          centre.faults = { loseRequest: 0.2, loseAnswer: 0.3, disconnect: 0.1, staleRead: 0.3 }
          await clock.advance(random.next() * 3000)
        } else if (dice < 0.8) centre.faults = NO_FAULTS
        else if (dice < 0.85) centre.cut()
        else if (dice < 0.92) centre.heal()
        else if (dice < 0.97) {
          const [dead, ghost] = [forwarder, box]
          disk.powerCut()
          if (random.next() < 0.2) {
            // Not only the power: the disk is gone, and with it what was told before.
            disk = new MemoryDisk()
            transitions.clear()
            since = step
          }
          let gone = false
          void Promise.allSettled([dead.stop(), ghost.outbox.close()]).then(() => {
            gone = true
          })
          await clock.runUntil(() => gone, 60_000)
          box = await openOutbox({ disk, dir: '/data', clock })
          forwarder = forward(box, centre, clock, seed + step).forwarder
        } else centre.forget(STREAMS.events, 2)
      }
      centre.faults = NO_FAULTS
      centre.heal()
      await clock.advance(60_000)
      await clock.runUntil(() => pending(box) === 0, 300_000)
      const stored = new Map<string, number[]>()
      for (const { subject, headers } of centre.messages(STREAMS.events)) {
        const series = `${subject} ${headers.get(HEADERS.since)}`
        stored.set(series, [...(stored.get(series) ?? []), Number(headers.get(HEADERS.transition))])
      }
      const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)
      for (const [device, last] of transitions)
        expect(stored.get(`events.site.${device}.too-hot ${since}`)).toEqual(upTo(last))
      // Of a series that ended with its disk, what the centre had not got yet is gone, and may have been forgotten since.
      for (const numbers of stored.values()) expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      await stopAll(clock, forwarder, box)
    },
  )
})
