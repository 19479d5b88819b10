import { describe, expect, it } from 'vitest'
import type { Reading } from '../../../../sync/contract/index.ts'
import { decode, match, RECEIVED } from './support.ts'

const ONE_WIRE = 'urn:dev:ow:10e2073a01080063'
const ANY_AGE = { maxAge: 100 * 365 * 86_400_000 }
const device = (name: string) => match('senml/{device}', `senml/${name}`)
const deviceAndMetric = (name: string, metric: string) => match('senml/{device}/{metric}', `senml/${name}/${metric}`)

function readings(pack: unknown, topic: ReturnType<typeof device>): Array<Partial<Reading>> {
  const result = decode(JSON.stringify(pack), topic, ANY_AGE)
  expect(result.problem).toBeNull()
  return result.readings.map(({ device, received, ...rest }) => {
    expect(device).toBe(topic.device)
    expect(received).toBe(RECEIVED)
    return rest
  })
}

describe('the examples of RFC 8428 §5.1', () => {
  it('single data point: the metric comes from the topic, because the name is all device', () => {
    const pack = [{ n: ONE_WIRE, u: 'Cel', v: 23.1 }]
    expect(readings(pack, deviceAndMetric(ONE_WIRE, 'temp'))).toEqual([{ metric: 'temp', value: 23.1, unit: 'Cel' }])
    expect(readings(pack, device('gw'))).toEqual([{ metric: ONE_WIRE, value: 23.1, unit: 'Cel' }])
  })

  it('multiple data points, now', () => {
    const pack = [
      { bn: `${ONE_WIRE}:`, n: 'voltage', u: 'V', v: 120.1 },
      { n: 'current', u: 'A', v: 1.2 },
    ]
    expect(readings(pack, device(ONE_WIRE))).toEqual([
      { metric: 'voltage', value: 120.1, unit: 'V' },
      { metric: 'current', value: 1.2, unit: 'A' },
    ])
  })

  it('multiple data points, with base time and base unit', () => {
    const pack = [
      { bn: 'urn:dev:ow:10e2073a0108006:', bt: 1.276020076001e9, bu: 'A', bver: 5, n: 'voltage', u: 'V', v: 120.1 },
      { n: 'current', t: -5, v: 1.2 },
      { n: 'current', t: -4, v: 1.3 },
      { n: 'current', t: -3, v: 1.4 },
      { n: 'current', t: -2, v: 1.5 },
      { n: 'current', t: -1, v: 1.6 },
      { n: 'current', v: 1.7 },
    ]
    const now = 1_276_020_076_001
    expect(readings(pack, device('urn:dev:ow:10e2073a0108006'))).toEqual([
      { metric: 'voltage', value: 120.1, unit: 'V', time: now },
      { metric: 'current', value: 1.2, unit: 'A', time: now - 5000 },
      { metric: 'current', value: 1.3, unit: 'A', time: now - 4000 },
      { metric: 'current', value: 1.4, unit: 'A', time: now - 3000 },
      { metric: 'current', value: 1.5, unit: 'A', time: now - 2000 },
      { metric: 'current', value: 1.6, unit: 'A', time: now - 1000 },
      { metric: 'current', value: 1.7, unit: 'A', time: now },
    ])
  })

  it('multiple measurements, and the same resolved', () => {
    const pack = [
      { bn: ONE_WIRE, bt: 1.320067464e9, bu: '%RH', v: 20 },
      { u: 'lon', v: 24.30621 },
      { u: 'lat', v: 60.07965 },
      { t: 60, v: 20.3 },
      { u: 'lon', t: 60, v: 24.30622 },
      { u: '%EL', t: 150, v: 98 },
    ]
    const resolved = [
      { n: ONE_WIRE, u: '%RH', t: 1.320067464e9, v: 20 },
      { n: ONE_WIRE, u: 'lon', t: 1.320067464e9, v: 24.30621 },
      { n: ONE_WIRE, u: 'lat', t: 1.320067464e9, v: 60.07965 },
      { n: ONE_WIRE, u: '%RH', t: 1.320067524e9, v: 20.3 },
      { n: ONE_WIRE, u: 'lon', t: 1.320067524e9, v: 24.30622 },
      { n: ONE_WIRE, u: '%EL', t: 1.320067614e9, v: 98 },
    ]
    const topic = deviceAndMetric(ONE_WIRE, 'm')
    expect(readings(pack, topic)).toEqual(readings(resolved, topic))
    expect(readings(pack, topic)[5]).toEqual({ metric: 'm', value: 98, unit: '%EL', time: 1_320_067_614_000 })
  })

  it('multiple data types', () => {
    const pack = [
      { bn: `${ONE_WIRE}:`, n: 'temp', u: 'Cel', v: 23.1 },
      { n: 'label', vs: 'Machine Room' },
      { n: 'open', vb: false },
      { n: 'nfv-reader', vd: 'aGkgCg' },
    ]
    expect(readings(pack, device(ONE_WIRE))).toEqual([
      { metric: 'temp', value: 23.1, unit: 'Cel' },
      { metric: 'label', value: 'Machine Room' },
      { metric: 'open', value: false },
      { metric: 'nfv-reader', value: 'aGkgCg' },
    ])
  })

  it('collection of resources: names of other devices stay whole', () => {
    const pack = [
      { bn: '2001:db8::2/', bt: 1.320078429e9, n: 'temperature', u: 'Cel', v: 25.2 },
      { n: 'humidity', u: '%RH', v: 30 },
      { bn: '2001:db8::1/', n: 'temperature', u: 'Cel', v: 12.3 },
      { n: 'humidity', u: '%RH', v: 67 },
    ]
    const time = 1_320_078_429_000
    expect(readings(pack, device('2001:db8::2'))).toEqual([
      { metric: 'temperature', value: 25.2, unit: 'Cel', time },
      { metric: 'humidity', value: 30, unit: '%RH', time },
      { metric: '2001:db8::1/temperature', value: 12.3, unit: 'Cel', time },
      { metric: '2001:db8::1/humidity', value: 67, unit: '%RH', time },
    ])
  })

  it('a first record with only base fields gives no reading', () => {
    const pack = [{ bn: `${ONE_WIRE}:` }, { n: 'temp', u: 'Cel', v: 23.1 }, { n: 'heat', u: '/', v: 1 }]
    expect(readings(pack, device(ONE_WIRE)).map(({ metric }) => metric)).toEqual(['temp', 'heat'])
  })
})

describe('times (§4.5.3)', () => {
  it.each([
    ['none', {}, undefined],
    ['zero: the sensor does not know it', { t: 0 }, undefined],
    ['a past', { t: -1.5 }, RECEIVED - 1500],
    ['a near future', { t: 0.25 }, RECEIVED + 250],
    ['relative to a relative base', { bt: -10, t: 4 }, RECEIVED - 6000],
    ['base and time that cancel out', { bt: -10, t: 10 }, undefined],
    ['absolute', { t: 1_700_000_000.5 }, 1_700_000_000_500],
    ['the first absolute second', { t: 2 ** 28 }, 2 ** 28 * 1000],
  ])('%s', (_, fields, time) => {
    const [reading] = readings([{ n: 'a', v: 1, ...fields }], device('d1'))
    expect(reading?.time).toBe(time)
  })

  it('just below 2^28 are relative, and absurd', () => {
    const result = decode(JSON.stringify([{ n: 'a', v: 1, t: 2 ** 28 - 1 }]), device('d1'), ANY_AGE)
    expect(result.problem?.code).toBe('TIME_IN_FUTURE')
  })
})

describe('values and sums (§4.5.4)', () => {
  it('adds the base value to numbers only', () => {
    const pack = [
      { bn: 'd1:', bv: 100, n: 'a', v: 1.5 },
      { n: 'b', vs: 'x' },
      { n: 'c', bv: -1, v: 1 },
    ]
    expect(readings(pack, device('d1'))).toEqual([
      { metric: 'a', value: 101.5 },
      { metric: 'b', value: 'x' },
      { metric: 'c', value: 0 },
    ])
  })

  it('makes a reading of its own of a sum', () => {
    const pack = [
      { bn: 'd1:', n: 'power', u: 'W', v: 5, s: 3600 },
      { n: 'power', u: 'W', s: 7200 },
      { n: 'flow', bs: 10, s: 1 },
      { n: 'flow', v: 2 },
    ]
    expect(readings(pack, device('d1'))).toEqual([
      { metric: 'power', value: 5, unit: 'W' },
      { metric: 'power.sum', value: 3600, unit: 'W*s' },
      { metric: 'power.sum', value: 7200, unit: 'W*s' },
      { metric: 'flow.sum', value: 11 },
      { metric: 'flow', value: 2 },
      { metric: 'flow.sum', value: 10 },
    ])
  })

  it.each([
    ['v', '1'],
    ['v', null],
    ['vb', 1],
    ['vs', 1],
    ['vd', 1],
    ['vd', 'not base64url!'],
    ['s', '1'],
  ])('refuses %s with the wrong type: %j', (label, value) => {
    const result = decode(
      JSON.stringify([
        { n: 'a', [label]: value },
        { n: 'b', v: 2 },
      ]),
      device('d1'),
    )
    expect(result.readings.map(({ metric }) => metric)).toEqual(['b'])
    expect(result.problem?.code).toBe('VALUE_TYPE')
    expect(result.problem?.reason).toMatch(/^\[0\]: /)
  })
})

describe('names', () => {
  it.each([
    ['d1', undefined, 'temp', 'temp'],
    ['d1', 'd1', 'temp', 'temp'],
    ['d1', 'd1:', 'temp', 'temp'],
    ['d1', 'd1/', 'temp', 'temp'],
    ['d1', undefined, 'd1_temp', 'temp'],
    ['d1', 'd1/a/', 'temp', 'a/temp'],
    ['d1', undefined, 'd12', 'd12'],
    ['d1', 'd', '1:temp', 'temp'],
    ['d1', 'x:', 'temp', 'x:temp'],
  ])('of device %s: base %s and name %s give metric %s', (name, bn, n, metric) => {
    expect(readings([{ bn, n, v: 1 }], device(name)).map((reading) => reading.metric)).toEqual([metric])
  })

  it('stand within the metric that the topic names', () => {
    const topic = deviceAndMetric('d1', 'env')
    expect(
      readings(
        [
          { bn: 'd1:', n: 'temp', v: 1 },
          { n: 'env', v: 2 },
          { n: '', v: 3 },
        ],
        topic,
      ),
    ).toEqual([
      { metric: 'env.temp', value: 1 },
      { metric: 'env', value: 2 },
      { metric: 'env', value: 3 },
    ])
  })
})

describe('packs', () => {
  it('keep what came before a broken base field, and nothing after it', () => {
    const result = decode('[{"n":"a","v":1},{"n":"b","v":2,"bt":"x"},{"n":"c","v":3}]', device('d1'))
    expect(result.readings.map(({ metric }) => metric)).toEqual(['a'])
    expect(result.problem).toEqual({
      code: 'SENML_BASE_INVALID',
      reason: '[1] and all after it: SENML_BASE_INVALID: bt: expected a finite number, got "x"',
    })
  })

  it('keep the good records beside bad ones', () => {
    const result = decode('[{"n":"a","v":1},7,{"n":"b"},{"n":"c","v":3,"u":""},{"n":"d","v":4}]', device('d1'))
    expect(result.readings.map(({ metric }) => metric)).toEqual(['a', 'd'])
    expect(result.problem?.code).toBe('READING_NOT_OBJECT')
  })

  it('ignore fields that nobody has to understand, and understand seq, session, id and quality', () => {
    const pack = [{ n: 'a', v: 1, ut: 60, foo: 'bar', seq: 3, boot: 'b', id: 'i', quality: 'bad', time: 5, unit: 'x' }]
    expect(readings(pack, device('d1'))).toEqual([
      { metric: 'a', value: 1, seq: 3, session: 'b', id: 'i', quality: 'bad' },
    ])
  })

  it.each([
    ['a name', '[{"n":"a","v":1,"other":2}]', ['a']],
    ['a base name', '[{"bn":"a","v":1}]', ['a']],
    ['only labels of SenML', '[{"v":1,"u":"V"}]', ['m']],
    ['a value key: a list', '[{"value":1,"n":"a"}]', ['m']],
    ['an empty object: a list', '[{},{"v":1}]', ['m.v']],
    ['keys that SenML does not have: a list', '[{"v":230,"i":2}]', ['m.v', 'm.i']],
  ])('are told from lists by %s', (_, payload, metrics) => {
    const result = decode(payload, deviceAndMetric('d1', 'm'))
    expect(result.problem).toBeNull()
    expect(result.readings.map(({ metric }) => metric.replace(/^m\.a$/, 'a'))).toEqual(metrics)
  })
})
