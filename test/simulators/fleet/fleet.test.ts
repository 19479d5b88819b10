import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FaultProxy } from '../../../simulators/faults/index.ts'
import {
  type DeviceSpec,
  Fleet,
  type FleetOptions,
  mixedFleet,
  type PayloadForm,
} from '../../../simulators/fleet/index.ts'
import { Ledger, type Verdict, verify } from '../../../simulators/ledger/index.ts'
import { type DeadLetter, type Reading, readingsSubject } from '../../../sync/contract/index.ts'
import { eventually } from '../eventually.ts'
import { memoryCentral, packMaker } from '../ledger/packs.ts'
import { type Arrival, TestBroker } from './broker.ts'

let broker: TestBroker
let ledger: Ledger
const fleets: Fleet[] = []

beforeEach(async () => {
  broker = await TestBroker.start()
  ledger = new Ledger({ startedAt: Date.now() })
})

afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.stop({ within: 0 })))
  await broker.kill()
})

function start(more: Partial<FleetOptions> & { devices: readonly DeviceSpec[] }): Fleet {
  const fleet = Fleet.start({
    gateways: [`mqtt://127.0.0.1:${broker.port}`],
    ledger,
    rate: 200,
    reconnect: [10, 40],
    seed: 5,
    ...more,
  })
  fleets.push(fleet)
  return fleet
}

/** What a perfect gateway would have stored of these publishes: first copies only, in order of arrival. */
function storedBy(arrivals: readonly Arrival[]): { readings: Reading[]; letters: DeadLetter[] } {
  const readings = new Map<string, Reading>()
  const letters: DeadLetter[] = []
  for (const { topic, payload } of arrivals) {
    const [, device = '', metric = ''] = topic.split('/')
    const found = decode(payload, metric)
    if (found.length === 0) {
      letters.push({
        code: 'X',
        reason: '',
        topic,
        client: '',
        received: Date.now(),
        payload: payload.toString('base64'),
      })
    }
    for (const { seq, time, session, ...reading } of found) {
      const whole: Reading = { device, received: Date.now(), ...reading }
      if (time !== undefined) whole.time = time
      if (seq !== undefined) whole.seq = seq
      if (session !== undefined) whole.session = session
      const identity =
        seq !== undefined ? `${session} ${seq}` : time !== undefined ? `${time}` : `bare ${readings.size}`
      const key = `${device} ${reading.metric} ${identity}`
      if (!readings.has(key)) readings.set(key, whole)
    }
  }
  return { readings: [...readings.values()], letters }
}

type Decoded = Pick<Reading, 'metric' | 'value' | 'seq' | 'time' | 'session'>

function decode(payload: Buffer, metric: string): Decoded[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(payload.toString())
  } catch {
    return []
  }
  const one = (from: unknown): Decoded[] => {
    if (typeof from === 'number') return Number.isFinite(from) ? [{ metric, value: from }] : []
    if (typeof from !== 'object' || from === null) return []
    const { value, seq, time, session, unit: _, quality: __, ...rest } = from as Record<string, unknown>
    if ('mark' in rest) return []
    const common = {
      ...(typeof seq === 'number' ? { seq } : {}),
      ...(typeof time === 'number' ? { time } : {}),
      ...(typeof session === 'string' ? { session } : {}),
    }
    if (typeof value === 'number') return [{ metric, value, ...common }]
    return Object.entries(rest).flatMap(([name, each]) =>
      typeof each === 'number' ? [{ metric: name, value: each, ...common }] : [],
    )
  }
  if (!Array.isArray(parsed)) return one(parsed)
  let base = 0
  return parsed.flatMap((record) => {
    if (typeof record.n !== 'string') return one(record)
    base = record.bt ?? base
    return [{ metric: record.n, value: record.v, time: Math.round((base + (record.t ?? 0)) * 1_000) }]
  })
}

async function judge(...arrivals: readonly (readonly Arrival[])[]): Promise<Verdict> {
  const make = packMaker()
  const packs = arrivals.flatMap((list, index) => {
    const { readings, letters } = storedBy(list)
    const gateway = `gw${index}`
    expect(readingsSubject('site', gateway)).toContain(gateway)
    return [
      ...(readings.length > 0 ? [make.readings(readings, { gateway })] : []),
      ...(letters.length > 0 ? [make.deadLetters(letters, { gateway })] : []),
    ]
  })
  return verify(ledger, memoryCentral(packs))
}

describe('a fleet', () => {
  it.each(['number', 'object', 'flat', 'array', 'senml'] as const)(
    'publishes %s payloads until its limit, and the ledger knows all of them',
    async (form: PayloadForm) => {
      const devices = mixedFleet({ devices: 4, forms: [form], metrics: 2 })
      const summary = await start({ devices, limit: 25 }).done
      expect(summary).toMatchObject({ clean: true, inFlight: 0, waiting: 0, dropped: 0, devices: 4 })
      expect(summary.acknowledged).toBe(broker.arrivals.length)
      expect(ledger.totals()).toEqual({ attempted: 200, acknowledged: 200 })
      expect(await judge(broker.arrivals)).toMatchObject({ ok: true, total: { stored: 200 } })
    },
  )

  it.each([0, 1, 2] as const)('publishes with QoS %i', async (qos) => {
    const summary = await start({ devices: mixedFleet({ devices: 2, forms: ['object'], qos: [qos] }), limit: 20 }).done
    await eventually(() => broker.arrivals.length).toBe(40)
    expect(broker.arrivals.every((arrival) => arrival.qos === qos)).toBe(true)
    expect(summary.acknowledged).toBe(qos === 0 ? 0 : 40)
    expect(ledger.totals()).toEqual({ attempted: 40, acknowledged: qos === 0 ? 0 : 40 })
  })

  it('with every misbehaviour still leaves a ledger that a perfect gateway satisfies', async () => {
    const devices = mixedFleet({ devices: 6, metrics: 2, trouble: 8 })
    const summary = await start({ devices, limit: 150, rate: 400 }).done
    expect(summary.clean).toBe(true)
    expect(summary.restarts).toBeGreaterThan(0)
    expect(ledger.spoiledEntries.size).toBeGreaterThan(5)
    const verdict = await judge(broker.arrivals)
    expect(verdict.findings).toEqual([])
    expect(verdict.ok).toBe(true)
  })

  it('shares connections when told to', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 20, trouble: 20 }), connections: 3, limit: 40 })
    await eventually(() => broker.connections).toBe(3)
    const summary = await fleet.done
    expect(summary).toMatchObject({ clean: true, devices: 20, connections: 3, reconnects: 0 })
    expect(summary.restarts).toBeGreaterThan(0)
    expect((await judge(broker.arrivals)).ok).toBe(true)
  })

  it('has devices lose their connection, and what was not sent, with their power', async () => {
    const [device] = mixedFleet({ devices: 1, forms: ['object'] })
    if (device === undefined) throw new Error('expected a device')
    const fleet = start({ devices: [{ ...device, misbehaviour: { restart: 0.05 } }], rate: 100 })
    await eventually(() => fleet.stats().reconnects).toBeGreaterThanOrEqual(3)
    const { restarts, reconnects } = await fleet.stop()
    expect(restarts).toBeGreaterThanOrEqual(reconnects)
    expect([...ledger.allSeries()].length).toBeGreaterThan(reconnects)
    expect((await judge(broker.arrivals)).ok).toBe(true)
  })

  it('changes its rate while it runs', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 2, forms: ['object'] }), rate: 0 })
    await eventually(() => fleet.stats().online).toBe(2)
    expect(fleet.stats().published).toBe(0)
    fleet.setRate(500)
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(50)
    fleet.setRate(0)
    const { published, waiting } = fleet.stats()
    await eventually(() => fleet.stats().acknowledged).toBe(published + waiting)
    expect(fleet.stats()).toMatchObject({ published: published + waiting, waiting: 0, inFlight: 0 })
  })

  it('stops cleanly: sends what it held back, waits for the acknowledgements', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 5, forms: ['array'] }), rate: 300 })
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(20)
    expect(await fleet.stop()).toMatchObject({ clean: true, inFlight: 0, waiting: 0 })
    const { attempted, acknowledged } = ledger.totals()
    expect(acknowledged).toBe(attempted)
    expect((await judge(broker.arrivals)).total).toMatchObject({ stored: attempted, lost: 0 })
  })

  it('stops within its deadline when nobody acknowledges', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 3 }), rate: 100 })
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(10)
    await broker.kill()
    await eventually(() => fleet.stats().waiting).toBeGreaterThan(0)
    const summary = await fleet.stop({ within: 50 })
    expect(summary.clean).toBe(false)
    expect(fleet.stop()).toBe(fleet.done)
  })

  it('stops when its signal aborts', async () => {
    const abort = new AbortController()
    const fleet = start({ devices: mixedFleet({ devices: 2 }), signal: abort.signal })
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(5)
    abort.abort()
    expect((await fleet.done).clean).toBe(true)
  })

  it('ends with the error when its ledger cannot be written', async () => {
    const broken = new Ledger({
      startedAt: 0,
      listener: {
        run: () => undefined,
        series: () => undefined,
        topic: () => undefined,
        counted: () => undefined,
        spoiled: () => undefined,
        attempted: () => {
          throw new Error('no space left on device')
        },
        attemptedRange: () => undefined,
        acknowledged: () => undefined,
      },
    })
    const fleet = start({ devices: mixedFleet({ devices: 1 }), ledger: broken })
    fleets.pop()
    await expect(fleet.done).rejects.toThrow('no space left')
  })
})

describe('a fleet whose gateway dies', () => {
  it('publishes again, in order and with the same counters, what was not acknowledged', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 4, forms: ['object'] }), rate: 300, limit: 400, window: 8 })
    for (let round = 1; round <= 3; round++) {
      await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(round * 150)
      // Noted, never acknowledged: exactly what a kill between disk and PUBACK leaves behind.
      broker.refuseAcks = true
      const before = broker.arrivals.length
      await eventually(() => broker.arrivals.length).toBeGreaterThan(before)
      await broker.kill()
      broker.refuseAcks = false
      await broker.start()
    }
    const summary = await fleet.done
    expect(summary).toMatchObject({ clean: true, dropped: 0 })
    expect(summary.reconnects).toBeGreaterThanOrEqual(4)
    expect(broker.arrivals.length).toBeGreaterThan(1_600)
    expect(ledger.totals()).toEqual({ attempted: 1_600, acknowledged: 1_600 })
    expect(await judge(broker.arrivals)).toMatchObject({ ok: true, total: { stored: 1_600, reordered: 0 } })
  })

  it('moves to the next gateway, and back', async () => {
    const second = await TestBroker.start()
    const gateways = [broker, second].map(({ port }) => `mqtt://127.0.0.1:${port}`)
    const fleet = start({ devices: mixedFleet({ devices: 4, forms: ['object'] }), gateways, rate: 200, limit: 300 })
    try {
      await eventually(() => [broker.connections, second.connections]).toEqual([2, 2])
      await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(100)
      await broker.kill()
      await eventually(() => second.connections).toBe(4)
      await broker.start()
      await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(500)
      await second.kill()
      await eventually(() => broker.connections).toBe(4)
      expect(await fleet.done).toMatchObject({ clean: true, dropped: 0, acknowledged: 1_200 })
      // Two plain brokers cannot know what the other stored: only order and completeness can be asked for.
      const { total } = await judge(broker.arrivals, second.arrivals)
      expect(total).toMatchObject({ stored: 1_200, lost: 0, reordered: 0, invented: 0 })
    } finally {
      await second.kill()
    }
  })

  it('knows how long every connection took to get away from a gateway that was killed', async () => {
    const second = await TestBroker.start()
    const gateways = [broker, second].map(({ port }) => `mqtt://127.0.0.1:${port}`)
    const fleet = start({ devices: mixedFleet({ devices: 6, forms: ['object'] }), gateways, rate: 100 })
    try {
      await eventually(() => fleet.stats().homes).toEqual([3, 3])
      await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(30)
      const moved = fleet.gatewayKilled(0)
      await broker.kill()
      const moves = await moved
      expect(moves).toHaveLength(3)
      for (const { from, to, afterKill, afterNotice, connected } of moves) {
        expect([from, to]).toEqual([0, 1])
        expect(afterKill).toBeGreaterThanOrEqual(connected)
        expect(afterKill).toBeGreaterThanOrEqual(afterNotice)
        // The pause before another attempt.
        expect(afterNotice).toBeGreaterThanOrEqual(9)
      }
      expect(fleet.moves).toEqual(moves)
      expect(fleet.stats().homes).toEqual([0, 6])
      expect(await fleet.gatewayKilled(0)).toEqual([])
      const never = fleet.gatewayKilled(1)
      await second.kill()
      await fleet.stop({ within: 50 })
      expect(await never).toEqual([])
    } finally {
      await second.kill()
    }
  })

  it('overwrites the oldest in its small buffer while it has no gateway, and those were never attempted', async () => {
    const fleet = start({ devices: mixedFleet({ devices: 1, forms: ['object'] }), rate: 500, buffer: 20 })
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(20)
    await broker.kill()
    await eventually(() => fleet.stats().dropped).toBeGreaterThan(30)
    expect(fleet.stats().waiting).toBeLessThanOrEqual(20)
    await broker.start()
    const { acknowledged } = fleet.stats()
    await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(acknowledged + 50)
    const { clean, dropped, published } = await fleet.stop()
    expect(clean).toBe(true)
    const [series] = [...ledger.allSeries()]
    expect(series?.attempted.max).toBe(published + dropped - 1)
    expect(series?.attempted.size).toBe(published)
    expect((await judge(broker.arrivals)).ok).toBe(true)
  })

  it('gets over swallowed acknowledgements and cuts without a reading too few, in disorder, or unknown', async () => {
    const proxy = await FaultProxy.listen({ target: { port: broker.port }, protocol: 'mqtt', seed: 1 })
    const fleet = start({
      devices: mixedFleet({ devices: 4, forms: ['object', 'flat'], qos: [1, 2] }),
      gateways: [`mqtt://127.0.0.1:${proxy.port}`],
      rate: 200,
      limit: 400,
    })
    try {
      for (let round = 1; round <= 4; round++) {
        await eventually(() => fleet.stats().acknowledged).toBeGreaterThan(round * 200)
        const release = await (round % 2 === 0 ? proxy.halfOpen('toClient') : proxy.swallowMessages())
        const { swallowed } = proxy.stats().toClient
        await eventually(() => proxy.stats().toClient.swallowed).toBeGreaterThan(swallowed)
        proxy.reset()
        await release()
      }
      expect(await fleet.done).toMatchObject({ clean: true })
      expect(await judge(broker.arrivals)).toMatchObject({ ok: true, total: { attempted: 1_600, acknowledged: 1_600 } })
    } finally {
      await proxy.close()
    }
  })
})
