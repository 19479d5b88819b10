import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DeadLetter,
  DeadLetterError,
  decodeDeadLetter,
  decodeLine,
  encodeDeadLetter,
  encodeLine,
  lineParts,
  type Reading,
} from '../../../sync/contract/index.ts'

/** Any UTF-16, halves of surrogate pairs included. */
const utf16 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
  .map((units) => String.fromCharCode(...units))
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), utf16)
const anyName = anyText.filter((text) => text !== '')
const decimals = fc.tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.integer({ min: 0, max: 5 }))
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.integer(),
  decimals.map(([digits, places]) => digits / 10 ** places),
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
)
const values = fc.oneof(numbers, fc.boolean(), anyText)
const labels = fc.dictionary(anyText, anyText, { maxKeys: 4 })

const readings: fc.Arbitrary<Reading> = fc.record(
  {
    device: anyName,
    metric: anyName,
    value: values,
    unit: anyText,
    time: numbers,
    received: numbers,
    seq: fc.maxSafeNat(),
    session: anyText,
    life: fc.maxSafeNat(),
    id: anyText,
    quality: fc.constantFrom('good', 'uncertain', 'bad'),
    labels,
  },
  { requiredKeys: ['device', 'metric', 'value', 'received'], noNullPrototype: true },
)

/** The definition that `encodeLine` is a faster way to reach. */
function reference(reading: Reading): string {
  const { device, metric, value, unit, time, received, seq, session, life, id, quality } = reading
  return JSON.stringify({
    device,
    metric,
    value,
    unit,
    time,
    received,
    seq,
    session,
    life,
    id,
    quality,
    labels: reading.labels,
  })
}

describe('encodeLine', () => {
  it('writes the keys in the order of the interface and leaves absent ones out', () => {
    const reading: Reading = {
      labels: { line: 'L1' },
      quality: 'good',
      id: 'x',
      life: 2,
      session: 'b1',
      seq: 7,
      received: 1_767_225_600_123,
      time: 1_767_225_600_000,
      unit: 'Cel',
      value: -21.5,
      metric: 'temp',
      device: 'd1',
    }
    expect(encodeLine(reading)).toBe(
      '{"device":"d1","metric":"temp","value":-21.5,"unit":"Cel","time":1767225600000,"received":1767225600123,' +
        '"seq":7,"session":"b1","life":2,"id":"x","quality":"good","labels":{"line":"L1"}}',
    )
    expect(encodeLine({ device: 'd', metric: 'm', value: true, received: 5 })).toBe(
      '{"device":"d","metric":"m","value":true,"received":5}',
    )
  })

  it('is byte for byte what JSON.stringify writes', () => {
    fc.assert(
      fc.property(readings, (reading) => {
        expect(encodeLine(reading)).toBe(reference(reading))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    0,
    -0,
    0.001,
    -0.001,
    0.0005,
    0.1 + 0.2,
    0.3,
    1e-7,
    1.005,
    21.5,
    21.05,
    21.005,
    2147483.647,
    2147483.648,
    1e9,
    999999999,
    1e15,
    1e15 - 1,
    1e15 - 0.5,
    1767225600000,
    1767000000000,
    1e21,
    5e-324,
    1.7976931348623157e308,
    2 ** 53,
    -(2 ** 31),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ])('writes the number %d as JSON does', (value) => {
    const reading: Reading = { device: 'd', metric: 'm', value, time: value, received: value }
    expect(encodeLine(reading)).toBe(reference(reading))
  })

  it('never holds a line break, whatever the texts hold', () => {
    const reading: Reading = { device: 'a\nb', metric: '\r\n', value: 'x\n', unit: '\u2028', received: 1 }
    expect(encodeLine(reading)).not.toMatch(/[\r\n]/)
  })

  it('gives the same line with the parts of any topic', () => {
    const parts = fc.record({ device: anyText, metric: fc.option(anyText), labels: fc.option(labels) })
    fc.assert(
      fc.property(readings, parts, fc.boolean(), fc.boolean(), (reading, other, sameDevice, sameMetric) => {
        const device = sameDevice ? reading.device : other.device
        const metric = sameMetric ? reading.metric : other.metric
        const own = lineParts(device, metric, reading.labels ?? null)
        const foreign = lineParts(device, metric, other.labels)
        expect(encodeLine(reading, own)).toBe(reference(reading))
        expect(encodeLine(reading, foreign)).toBe(reference(reading))
      }),
    )
  })
})

describe('decodeLine', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(readings, (reading) => {
        // JSON has no -0: encodeLine writes 0, as JSON.stringify does.
        const plain: Reading = JSON.parse(reference(reading))
        expect(decodeLine(encodeLine(reading))).toStrictEqual(plain)
      }),
      { numRuns: 1000 },
    )
  })

  it('leaves out keys of a newer version', () => {
    expect(decodeLine('{"device":"d","metric":"m","value":1,"received":2,"altitude":3}')).toStrictEqual({
      device: 'd',
      metric: 'm',
      value: 1,
      received: 2,
    })
  })

  it('keeps a label named __proto__ a label', () => {
    const line = '{"device":"d","metric":"m","value":1,"received":2,"labels":{"__proto__":"x"}}'
    const reading = decodeLine(line)
    expect(Object.keys(reading.labels ?? {})).toEqual(['__proto__'])
    expect(encodeLine(reading)).toBe(line)
  })

  it.each([
    ['LINE_NOT_JSON', ''],
    ['LINE_NOT_JSON', '{"device":"d"'],
    ['LINE_INVALID', 'null'],
    ['LINE_INVALID', '[]'],
    ['LINE_INVALID', '{"metric":"m","value":1,"received":2}'],
    ['LINE_INVALID', '{"device":"","metric":"m","value":1,"received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":3,"value":1,"received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":null,"received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1e999,"received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":{},"received":2}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":null}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"unit":1}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"time":"now"}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"seq":-1}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"seq":1.5}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"session":1}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"id":null}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"quality":"fine"}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"labels":[]}'],
    ['LINE_INVALID', '{"device":"d","metric":"m","value":1,"received":2,"labels":{"a":1}}'],
  ])('refuses with %s: %s', (code, line) => {
    expect(thrownBy(() => decodeLine(line))).toMatchObject({ code })
  })
})

const letters: fc.Arbitrary<DeadLetter> = fc.record(
  {
    code: anyName,
    reason: anyText,
    topic: anyText,
    client: anyText,
    received: fc.maxSafeNat(),
    payload: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
  },
  { noNullPrototype: true },
)

describe('dead letters', () => {
  it('survive the way through a line', () => {
    fc.assert(
      fc.property(letters, (letter) => {
        const line = encodeDeadLetter(letter)
        expect(line).not.toContain('\n')
        expect(decodeDeadLetter(line)).toStrictEqual(letter)
      }),
    )
  })

  it('have their keys in the order of the interface', () => {
    const letter: DeadLetter = { payload: 'YQ==', received: 3, client: 'c', topic: 't', reason: 'r', code: 'X' }
    expect(encodeDeadLetter(letter)).toBe(
      '{"code":"X","reason":"r","topic":"t","client":"c","received":3,"payload":"YQ=="}',
    )
  })

  it.each([
    ['LINE_NOT_JSON', 'x'],
    ['LINE_INVALID', '7'],
    ['LINE_INVALID', '{"code":"","reason":"r","topic":"t","client":"c","received":3,"payload":""}'],
    ['LINE_INVALID', '{"code":"X","topic":"t","client":"c","received":3,"payload":""}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","client":"c","received":3,"payload":""}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","topic":"t","received":3,"payload":""}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","topic":"t","client":"c","payload":""}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","topic":"t","client":"c","received":3}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","topic":"t","client":"c","received":3,"payload":"YQ="}'],
    ['LINE_INVALID', '{"code":"X","reason":"r","topic":"t","client":"c","received":3,"payload":"Y-_="}'],
  ])('are refused with %s: %s', (code, line) => {
    expect(thrownBy(() => decodeDeadLetter(line))).toMatchObject({ code })
  })
})

function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(DeadLetterError)
    return error
  }
  throw new Error('expected an error, got none')
}
