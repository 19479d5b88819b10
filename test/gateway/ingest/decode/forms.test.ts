import { describe, expect, it } from 'vitest'
import type { Reading } from '../../../../sync/contract/index.ts'
import { decode, LIMITS, match, OPEN, RECEIVED, TEMP } from './support.ts'

const SITE_TIME = 1_767_225_600_000

function reading(rest: Partial<Reading>): Reading {
  return { device: 'd1', metric: 'temp', value: 0, received: RECEIVED, ...rest }
}

function expectReadings(payload: string, topic: typeof TEMP, expected: Array<Partial<Reading>>): void {
  const result = decode(payload, topic)
  expect(result.problem).toBeNull()
  expect(result.readings).toStrictEqual(expected.map(reading))
}

describe('a bare value', () => {
  it.each<[string, Reading['value']]>([
    ['21.5', 21.5],
    ['0', 0],
    ['-0', 0],
    ['-12', -12],
    [' -1e3 ', -1000],
    ['\t7\r\n', 7],
    ['+3.5', 3.5],
    ['007', 7],
    ['021.50', 21.5],
    ['.5', 0.5],
    ['5.', 5],
    ['1E-2', 0.01],
    ['123456789012345', 123456789012345],
    ['1234567890123456789', 1234567890123456800],
    ['0.1234567890123456', 0.1234567890123456],
    ['9007199254740993', 9007199254740992],
    ['true', true],
    ['false', false],
    [' true ', true],
    ['"open"', 'open'],
    ['"21.5"', '21.5'],
    ['""', ''],
    ['"line 1\\nline 2\\t"', 'line 1\nline 2\t'],
    ['\ufeff21.5', 21.5],
    ['"\ufffd"', '\ufffd'],
    ['"Zürich 😀"', 'Zürich 😀'],
  ])('%j is %j', (payload, value) => {
    expectReadings(payload, TEMP, [{ value }])
  })

  it("takes the template's metric when the topic has none", () => {
    const topic = match(
      { template: 'sensors/{device}', metric: 'level', unit: 'm', labels: { area: 'a' } },
      'sensors/d1',
    )
    expectReadings('3', topic, [{ metric: 'level', value: 3, unit: 'm', labels: { area: 'a' } }])
  })
})

describe('an object with value', () => {
  it('may say everything about its reading', () => {
    const payload = {
      value: 21.5,
      time: SITE_TIME,
      unit: 'Cel',
      seq: 7,
      id: 'r-1',
      quality: 'uncertain',
      session: 'b-1',
      labels: { fw: '1.2' },
      device: 'd1',
      metric: 'temp',
    }
    const expected = {
      value: 21.5,
      time: SITE_TIME,
      unit: 'Cel',
      seq: 7,
      id: 'r-1',
      quality: 'uncertain',
      session: 'b-1',
      labels: { fw: '1.2' },
    } as const
    expectReadings(JSON.stringify(payload), TEMP, [expected])
  })

  it.each<[string, Partial<Reading>]>([
    ['{"value":true}', { value: true }],
    ['{"value":false,"seq":0}', { value: false, seq: 0 }],
    ['{"value":"open"}', { value: 'open' }],
    ['{"value":-0}', { value: 0 }],
    ['{"value":1.5e1}', { value: 15 }],
    [' { "value" : 1 , "unit" : "m" } \n', { value: 1, unit: 'm' }],
    ['{"value":1,"id":12}', { value: 1, id: '12' }],
    ['{"value":1,"session":-3}', { value: 1, session: '-3' }],
    ['{"value":1,"boot":17}', { value: 1, session: '17' }],
    ['{"value":1,"boot":17,"session":"s"}', { value: 1, session: 's' }],
    ['{"value":1,"session":"s","boot":17}', { value: 1, session: 's' }],
    ['{"value":1,"seq":-0}', { value: 1, seq: 0 }],
    ['{"value":1,"seq":9007199254740991}', { value: 1, seq: 9007199254740991 }],
    ['{"value":1,"unit":null,"time":null,"seq":null,"labels":null}', { value: 1 }],
    ['{"value":1,"labels":{}}', { value: 1 }],
    ['{"value":1,"firmware":"1.2","rssi":-70,"extra":{"a":[1]}}', { value: 1 }],
    ['{"value":1,"__proto__":{"seq":5}}', { value: 1 }],
    ['{"value":1,"value":2}', { value: 2 }],
    ['{"value":1,"unit":"°C"}', { value: 1, unit: '°C' }],
    ['{"\\u0076alue":1}', { value: 1 }],
  ])('%s', (payload, expected) => {
    expectReadings(payload, TEMP, [expected])
  })

  it.each<[string, number]>([
    ['1767225600000', SITE_TIME],
    ['1767225600', SITE_TIME],
    ['1767225600.123', SITE_TIME + 123],
    ['1767225600.123456', SITE_TIME + 123.456],
    ['1767225600000.25', SITE_TIME + 0.25],
    ['"2026-01-01T00:00:00Z"', SITE_TIME],
    ['"2026-01-01T01:00:00.123+01:00"', SITE_TIME + 123],
  ])('takes the time %s', (time, expected) => {
    expectReadings(`{"value":1,"time":${time}}`, TEMP, [{ value: 1, time: expected }])
    expectReadings(`{"value":1,"ts":${time}}`, TEMP, [{ value: 1, time: expected }])
    expectReadings(`{"value":1,"timestamp":${time}}`, TEMP, [{ value: 1, time: expected }])
    expectReadings(`{"value":1,"ts":12,"time":${time}}`, TEMP, [{ value: 1, time: expected }])
    expectReadings(`{"value":1,"time":${time},"timestamp":12}`, TEMP, [{ value: 1, time: expected }])
  })

  it('may name its metric, within the one that the topic names', () => {
    expectReadings('{"value":1,"metric":"temp"}', OPEN, [{ value: 1, metric: 'temp' }])
    expectReadings('{"value":1,"metric":"max"}', TEMP, [{ value: 1, metric: 'temp.max' }])
    expectReadings('{"value":1,"metric":"temp"}', TEMP, [{ value: 1, metric: 'temp' }])
  })

  it("lets the topic's labels win and the payload's unit", () => {
    const topic = match({ template: 'p/{line}/{device}', metric: 'm', unit: 'Cel', labels: { area: 'a' } }, 'p/L1/d1')
    expectReadings('{"value":1,"unit":"K","labels":{"line":"L9","area":"z","fw":"1"}}', topic, [
      { metric: 'm', value: 1, unit: 'K', labels: { line: 'L1', area: 'a', fw: '1' } },
    ])
    expectReadings('{"value":1}', topic, [{ metric: 'm', value: 1, unit: 'Cel', labels: { line: 'L1', area: 'a' } }])
  })

  it('takes any time while the gateway does not know its own', () => {
    const result = decode('{"value":1,"time":4000000000000}', TEMP, { maxFuture: Number.POSITIVE_INFINITY })
    expect(result.readings).toStrictEqual([reading({ value: 1, time: 4_000_000_000_000 })])
  })
})

describe('a flat object', () => {
  it('gives a reading for each key that is not reserved, all with the same attributes', () => {
    const payload =
      '{"seq":7,"temp":21.5,"on":true,"mode":"auto","time":1767225600,"id":"x","boot":2,"quality":"bad","unit":"u","labels":{"a":"b"},"device":"d1"}'
    const shared = {
      seq: 7,
      time: SITE_TIME,
      id: 'x',
      session: '2',
      quality: 'bad',
      unit: 'u',
      labels: { a: 'b' },
    } as const
    expectReadings(payload, OPEN, [
      { metric: 'temp', value: 21.5, ...shared },
      { metric: 'on', value: true, ...shared },
      { metric: 'mode', value: 'auto', ...shared },
    ])
  })

  it('puts the keys within the metric that the topic names, but not within the default of the template', () => {
    const env = match('sensors/{device}/{metric}', 'sensors/d1/env')
    const fallback = match({ template: 'sensors/{device}', metric: 'level' }, 'sensors/d1')
    expectReadings('{"temp":1,"env":2}', env, [
      { metric: 'env.temp', value: 1 },
      { metric: 'env', value: 2 },
    ])
    expectReadings('{"temp":1}', fallback, [{ metric: 'temp', value: 1 }])
    expectReadings('{"metric":"inside","temp":1}', env, [{ metric: 'env.inside.temp', value: 1 }])
  })

  it('takes null for "no value"', () => {
    expectReadings('{"temp":null,"hum":40}', OPEN, [{ metric: 'hum', value: 40 }])
  })

  it('keeps the good metrics beside bad ones and says which are bad', () => {
    const result = decode('{"temp":21,"gps":{"lat":1},"hum":nan,"ok":true}', OPEN)
    expect(result.readings.map(({ metric, value }) => [metric, value])).toEqual([
      ['temp', 21],
      ['ok', true],
    ])
    expect(result.problem).toEqual({
      code: 'VALUE_TYPE',
      reason:
        'gps: VALUE_TYPE: expected a number, true, false or a text, got an object; ' +
        'hum: VALUE_NOT_FINITE: expected a finite number, got NaN, an infinity or a number beyond 1.8e308',
    })
  })

  it('looks for NaN outside of texts only', () => {
    const result = decode('{"a":"\\", nan","b":-nan,"c":"inf","d":Infinity}', OPEN)
    expect(result.readings.map(({ metric, value }) => [metric, value])).toEqual([
      ['a', '", nan'],
      ['c', 'inf'],
    ])
    expect(result.problem?.code).toBe('VALUE_NOT_FINITE')
  })

  it('does not let a key __proto__ change anything but its own refusal', () => {
    const result = decode('{"__proto__":5,"constructor":1,"toString":2}', OPEN)
    expect(result.readings.map(({ metric }) => metric)).toEqual(['constructor', 'toString'])
    expect(result.problem?.code).toBe('METRIC_INVALID')
    expect(Object.prototype).not.toHaveProperty('value')
  })
})

describe('an array', () => {
  it('gives the readings of its objects in their order, and keeps two of one metric', () => {
    const payload =
      '[{"value":1,"time":1767225600},{"value":2,"time":1767225601,"metric":"temp"},{"value":2,"metric":"max"},{"a":3,"b":4}]'
    expectReadings(payload, TEMP, [
      { value: 1, time: SITE_TIME },
      { value: 2, time: SITE_TIME + 1000 },
      { value: 2, metric: 'temp.max' },
      { value: 3, metric: 'temp.a' },
      { value: 4, metric: 'temp.b' },
    ])
  })

  it('keeps the good elements beside bad ones and says which are bad', () => {
    const payload = JSON.stringify([
      { value: 1 },
      { value: 2, seq: -1 },
      7,
      { value: 3, device: 'd2' },
      { value: 4 },
      { a: 1, b: [] },
      { value: null },
      { value: 'x', quality: 'fine' },
      { value: 'x', unit: '' },
    ])
    const result = decode(payload)
    expect(result.readings.map(({ value }) => value)).toEqual([1, 4, 1])
    expect(result.problem?.code).toBe('SEQ_INVALID')
    expect(result.problem?.reason).toBe(
      '[1]: SEQ_INVALID: seq: expected a whole number from 0 to 2^53 - 1, got -1; ' +
        '[2]: READING_NOT_OBJECT: expected an object, got 7; ' +
        '[3]: DEVICE_MISMATCH: device: the topic says \'d1\', the payload says "d2"; ' +
        '[5].b: VALUE_TYPE: expected a number, true, false or a text, got an array; ' +
        '[6]: VALUE_MISSING: expected a value, got null; and 2 more',
    )
  })

  it('is refused as a whole when it has more parts than allowed, good or bad', () => {
    const limits = { maxReadingsPerMessage: 3 }
    expect(decode('[{"value":1},{"value":2},{"value":3}]', TEMP, limits)).toMatchObject({ problem: null })
    for (const payload of [
      '[{"value":1},{"value":2},{"value":3},{"value":4}]',
      '[1,2,3,4]',
      '[{"a":1,"b":2},{"a":1,"b":2}]',
      '{"a":1,"b":2,"c":3,"d":4}',
      '[{"n":"a","v":1},{"v":2},{"v":3},{"v":4}]',
    ])
      expect(decode(payload, TEMP, limits)).toMatchObject({
        readings: [],
        problem: { code: 'PAYLOAD_TOO_MANY_READINGS' },
      })
  })
})

describe('limits of size', () => {
  it('are counted in bytes', () => {
    expect(decode('"äö"', TEMP, { maxPayload: 6 }).problem).toBeNull()
    expect(decode('"äö"', TEMP, { maxPayload: 5 }).problem?.code).toBe('PAYLOAD_TOO_LARGE')
    expect(decode(' '.repeat(LIMITS.maxPayload), TEMP).problem?.code).toBe('PAYLOAD_EMPTY')
  })
})
