import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DevicePlan,
  type DeviceSpec,
  type Misbehaviour,
  mixedFleet,
  type PayloadForm,
  type PlannedPublish,
} from '../../../simulators/fleet/index.ts'
import { constant, sensor } from '../../../simulators/signals/index.ts'

const NOON = 1_700_000_000_000
const FORMS: readonly PayloadForm[] = ['number', 'object', 'flat', 'array', 'senml']

const spec = (more: Partial<DeviceSpec> = {}): DeviceSpec => ({
  device: 'd1',
  metrics: [sensor('temperature', 1), sensor('pressure', 1)],
  ...more,
})

const plan = (more: Partial<DeviceSpec> = {}, seed = 1): DevicePlan => new DevicePlan(spec(more), { seed, run: 'r' })

function publishes(from: DevicePlan, samples: number, period = 50): PlannedPublish[] {
  const all = Array.from({ length: samples }, (_, i) => from.sample(NOON + i * period).publishes)
  return [...all.flat(), ...from.flush()]
}

const seqs = (all: readonly PlannedPublish[], metric = 'temperature'): number[] =>
  all
    .filter(({ kind }) => kind !== 'repeat')
    .flatMap(({ readings }) => readings)
    .filter((reading) => reading.metric === metric)
    .flatMap(({ key }) => (key.by === 'seq' ? [key.seq] : []))

const ALL_TROUBLE: Misbehaviour = {
  dropOut: { chance: 0.02, lasting: [100, 1_000] },
  duplicate: 0.1,
  outOfOrder: 0.1,
  spoil: 0.1,
  restart: 0.02,
  clock: { offset: -5_000, drift: 100 },
}

describe('a device plan', () => {
  it.each(FORMS)('of form %s is the same again from the same seed, byte for byte', (form) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const make = (): string =>
          JSON.stringify(
            publishes(plan({ form, misbehaviour: ALL_TROUBLE }, seed), 80).map(({ payload, ...rest }) => ({
              ...rest,
              payload: payload.toString('hex'),
            })),
          )
        expect(make()).toBe(make())
      }),
      { numRuns: 20 },
    )
  })

  it('makes different devices differ', () => {
    const [first, second] = mixedFleet({ devices: 2, forms: ['object'], trouble: 5 }).map((device) =>
      publishes(new DevicePlan(device, { seed: 1, run: 'r' }), 50).map(({ payload }) => payload.toString()),
    )
    expect(first).not.toEqual(second)
  })

  it('counts every sample of every metric once, in order, when nothing is wrong', () => {
    const all = publishes(plan(), 100)
    expect(all.length).toBe(200)
    expect(seqs(all, 'temperature')).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(seqs(all, 'pressure')).toEqual(seqs(all, 'temperature'))
    expect(all[0]).toMatchObject({ device: 'd1', topic: 'sensors/d1/temperature', qos: 1, kind: 'reading' })
  })
})

describe('payload forms', () => {
  const first = (form: PayloadForm): { publish: PlannedPublish | undefined; json: unknown } => {
    const [publish] = publishes(plan({ form }), 5)
    return { publish, json: JSON.parse(publish?.payload.toString() ?? '') }
  }

  it('number: nothing but the value', () => {
    const { publish, json } = first('number')
    expect(json).toBe(publish?.readings[0]?.value)
    expect(publish?.readings[0]?.key).toEqual({ by: 'count' })
  })

  it('object: value, unit, time, seq, session, quality', () => {
    const { publish, json } = first('object')
    expect(json).toEqual({
      value: publish?.readings[0]?.value,
      unit: 'Cel',
      time: NOON,
      seq: 0,
      session: 'r-0',
      quality: 'good',
    })
  })

  it('flat: all metrics with one counter, on the device’s own topic', () => {
    const { publish, json } = first('flat')
    const [temperature, pressure] = publish?.readings ?? []
    expect(publish?.topic).toBe('sensors/d1')
    expect(json).toEqual({
      temperature: temperature?.value,
      pressure: pressure?.value,
      time: NOON,
      seq: 0,
      session: 'r-0',
    })
  })

  it('array: several readings of one metric together, the rest when it is flushed', () => {
    const all = publishes(plan({ form: 'array', batch: 4 }), 6)
    expect(all.map(({ topic, readings }) => [topic, readings.length])).toEqual([
      ['sensors/d1/temperature', 4],
      ['sensors/d1/pressure', 4],
      ['sensors/d1/temperature', 2],
      ['sensors/d1/pressure', 2],
    ])
    expect(JSON.parse(all[0]?.payload.toString() ?? '')).toHaveLength(4)
    expect(seqs(all)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('senml: one record a metric, told apart by time, which never repeats', () => {
    const { json } = first('senml')
    expect(json).toEqual([
      { bt: NOON / 1_000, n: 'temperature', u: 'Cel', v: expect.any(Number) },
      { n: 'pressure', u: 'bar', v: expect.any(Number) },
    ])
    const device = plan({ form: 'senml' })
    const times = [0, 0, 0, 1, 1, 5]
      .flatMap((t) => device.sample(NOON + t).publishes)
      .map(({ readings }) => readings[0]?.time)
    expect(new Set(times).size).toBe(6)
  })

  it('sends truth values and texts where a metric converts', () => {
    const door = { metric: 'door', unit: '', decimals: 0, signal: constant(1), convert: (value: number) => value > 0 }
    const mode = {
      metric: 'mode',
      unit: '',
      decimals: 0,
      signal: constant(2),
      convert: (value: number) => `mode ${value}`,
    }
    const [open, text] = publishes(plan({ metrics: [door, mode] }), 1).map(({ readings }) => readings[0]?.value)
    expect([open, text]).toEqual([true, 'mode 2'])
    const [senml] = publishes(plan({ metrics: [door, mode], form: 'senml' }), 1)
    expect(JSON.parse(senml?.payload.toString() ?? '')).toMatchObject([{ vb: true }, { vs: 'mode 2' }])
  })

  it('fills in the topic that it is given', () => {
    expect(publishes(plan({ topic: 'site/hall/{device}/{metric}' }), 1)[0]?.topic).toBe('site/hall/d1/temperature')
  })
})

describe('misbehaviour', () => {
  it('a duplicate is the same publish again', () => {
    const all = publishes(plan({ misbehaviour: { duplicate: 0.2 } }), 300)
    const repeats = all.filter(({ kind }) => kind === 'repeat')
    expect(repeats.length).toBeGreaterThan(60)
    for (const repeat of repeats) {
      const at = all.indexOf(repeat)
      expect(all[at - 1]?.payload.equals(repeat.payload)).toBe(true)
    }
    expect(seqs(all)).toEqual(Array.from({ length: 300 }, (_, i) => i))
  })

  it('nobody repeats a bare number: it would be another reading', () => {
    const all = publishes(plan({ form: 'number', misbehaviour: { duplicate: 1 } }), 50)
    expect(all.filter(({ kind }) => kind === 'repeat')).toEqual([])
  })

  it('a publish out of order is late by a few, and none is missing', () => {
    const all = publishes(plan({ misbehaviour: { outOfOrder: 0.2 } }), 300)
    const order = seqs(all)
    expect(order).not.toEqual([...order].sort((a, b) => a - b))
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i))
    expect(Math.max(...order.map((seq, position) => Math.abs(seq - position)))).toBeLessThan(20)
  })

  it('a drop-out is silence without counting', () => {
    const all = publishes(plan({ misbehaviour: { dropOut: { chance: 0.05, lasting: [500, 900] } } }), 300)
    const times = all.filter(({ topic }) => topic.endsWith('temperature')).map(({ readings }) => readings[0]?.time ?? 0)
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0))
    expect(Math.max(...pauses)).toBeGreaterThanOrEqual(500)
    expect(seqs(all)).toEqual(seqs(all).map((_, i) => i))
    expect(seqs(all).length).toBeLessThan(250)
  })

  it('a spoiled payload uses up its counter and carries no reading', () => {
    const all = publishes(plan({ misbehaviour: { spoil: 0.2 } }), 300)
    const spoiled = all.filter(({ kind }) => kind === 'spoiled')
    expect(spoiled.length).toBeGreaterThan(60)
    for (const { readings } of spoiled) expect(readings).toEqual([])
    expect(seqs(all).length + seqs(all, 'pressure').length + spoiled.length).toBe(600)
    expect(Math.max(...seqs(all))).toBeGreaterThan(290)
  })

  it('a restart begins a new session at 0', () => {
    const device = plan({ misbehaviour: { restart: 0.05 } })
    const sessions: string[] = []
    for (let i = 0; i < 200; i++) {
      const { restarted, publishes: out } = device.sample(NOON + i)
      const key = out[0]?.readings[0]?.key
      if (key?.by !== 'seq') throw new Error('expected a counter')
      if (restarted || i === 0) {
        sessions.push(key.session)
        expect(key.seq).toBe(0)
      } else expect(key.session).toBe(sessions.at(-1))
    }
    expect(sessions.length).toBeGreaterThan(4)
    expect(new Set(sessions).size).toBe(sessions.length)
  })

  it('a wrong clock is off, and runs away', () => {
    const all = publishes(plan({ misbehaviour: { clock: { offset: 60_000, drift: 1_000 } } }), 201, 1_000)
    expect(all[0]?.readings[0]?.time).toBe(NOON + 60_000)
    expect(all.at(-1)?.readings[0]?.time).toBe(NOON + 200_000 + 60_000 + 200)
  })

  it('changing one chance leaves the other decisions as they were', () => {
    const spoiledAt = (misbehaviour: Misbehaviour): string[] =>
      publishes(plan({ misbehaviour }), 200)
        .filter(({ kind }) => kind === 'spoiled')
        .map(({ topic }) => topic)
    expect(spoiledAt({ spoil: 0.1 }).length).toBe(spoiledAt({ spoil: 0.1, clock: { offset: 5 } }).length)
  })

  it('a device that restarts has to name its sessions', () => {
    expect(() => plan({ session: false, misbehaviour: { restart: 0.1 } })).toThrow(
      expect.objectContaining({ code: 'DEVICE_SPEC_INVALID' }),
    )
    expect(() => plan({ metrics: [] })).toThrow(expect.objectContaining({ code: 'DEVICE_SPEC_INVALID' }))
    const [publish] = publishes(plan({ session: false }), 1)
    expect(JSON.parse(publish?.payload.toString() ?? '')).not.toHaveProperty('session')
  })
})
