import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DECODE_CODES } from '../../../../gateway/ingest/decode/index.ts'
import { decodeLine, encodeLine, type Reading } from '../../../../sync/contract/index.ts'
import { decode, match, OPEN, TEMP } from './support.ts'

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const TOPICS = [
  TEMP,
  OPEN,
  match({ template: '{line}/{device}', metric: 'm', unit: 'Cel', labels: { a: 'b' } }, 'L1/d1'),
]
const topics = fc.constantFrom(...TOPICS)

const keys = fc.constantFrom(
  ...['value', 'time', 'ts', 'timestamp', 'unit', 'seq', 'id', 'quality', 'session', 'boot', 'labels', 'metric'],
  ...[
    'device',
    'temp',
    '__proto__',
    'n',
    'v',
    'bn',
    'bt',
    't',
    'vs',
    's',
    'valu',
    'values',
    'sess',
    'timex',
    '\u0000time',
  ],
)
const scalars = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 15 })).map(([digits, places]) => digits / 10 ** places),
  fc.integer({ min: 1_767_220_000, max: 1_767_230_000 }),
  fc.constant(1_767_225_600_000),
  fc.boolean(),
  fc.constant(null),
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('d1', 'good', 'Cel', '2026-01-01T00:00:00Z', 'a"b', 'a\\b', '\ud800', '\u007f'),
)
const values = fc.oneof({ weight: 8, arbitrary: scalars }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) })
const written = fc.oneof(
  { weight: 9, arbitrary: values.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.constantFrom('-0', '1e999', '-1E2', '0.10', 'NaN', '-inf', '12345678901234567890') },
)
const objects = fc.array(fc.tuple(keys, written), { maxLength: 8 }).map((entries) => {
  const members = entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`)
  return `{${members.join(',')}}`
})
/** What devices really send: most of these go the short way. */
const usual = fc
  .record(
    {
      value: fc.oneof(fc.boolean(), scalars),
      time: fc.oneof(
        fc.integer({ min: 1_767_220_000_000, max: 1_767_225_600_000 }),
        fc.constant('2026-01-01T00:00:00Z'),
      ),
      seq: fc.oneof(fc.nat(), scalars),
      unit: fc.oneof(fc.constantFrom('Cel', 'V'), scalars),
      id: fc.oneof(fc.uuid(), fc.nat()),
      session: fc.oneof(fc.uuid(), fc.nat()),
      quality: fc.constantFrom('good', 'uncertain', 'bad', 'odd'),
      metric: fc.constantFrom('temp', 'max'),
      device: fc.constantFrom('d1', 'd1', 'd1', 'd2'),
    },
    { requiredKeys: ['value'] },
  )
  .chain((fields) => fc.shuffledSubarray(Object.entries(fields), { minLength: Object.keys(fields).length }))
  .map((entries) => JSON.stringify(Object.fromEntries(entries)))
const lists = fc.array(objects, { maxLength: 5 }).map((elements) => `[${elements.join(',')}]`)
const numbers = fc.stringMatching(/^ ?[-+]?\d{0,18}(\.\d{0,18})?([eE][-+]?\d{0,3})? ?$/)
const blanks = fc.stringMatching(/^[ \t\n\r]*$/)
const spaced = fc
  .tuple(fc.oneof(usual, objects), blanks, blanks)
  .map(([text, a, b]) => a + text.replaceAll(':', `${b}:${a}`).replaceAll(',', `${a},${b}`) + b)
const texts = fc.oneof(usual, objects, lists, numbers, spaced, fc.string(), fc.json())
/** Nearly right texts: one piece of the text is replaced by another. */
const damaged = fc
  .tuple(
    texts,
    fc.nat(200),
    fc.nat(3),
    fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('"', '\\', '{', ',', 'nan', '-', '.')),
  )
  .map(
    ([text, at, cut, piece]) =>
      text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + cut),
  )
const payloads = fc.oneof(
  texts.map((text) => Buffer.from(text)),
  damaged.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
)

function withoutDevice({ device: _, ...rest }: Reading): Omit<Reading, 'device'> {
  return rest
}

describe('decodePayload', () => {
  it('never throws, and always gives readings or a reason', () => {
    fc.assert(
      fc.property(payloads, topics, (payload, topic) => {
        const { readings, problem } = decode(payload, topic)
        expect(readings.length > 0 || problem !== null).toBe(true)
        if (problem !== null) expect(Object.keys(DECODE_CODES)).toContain(problem.code)
        for (const reading of readings) expect(reading.device).toBe(topic.device)
      }),
      { numRuns: 5000 },
    )
  })

  it('gives readings that come back unchanged from their lines', () => {
    fc.assert(
      fc.property(payloads, topics, (payload, topic) => {
        for (const reading of decode(payload, topic).readings) {
          const line = encodeLine(reading, topic.line)
          expect(line).toBe(encodeLine(reading))
          expect(decodeLine(line)).toEqual(reading)
          expect(Object.is(decodeLine(line).value, reading.value)).toBe(true)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('decides the same by its shortcuts as by the general way', () => {
    fc.assert(
      fc.property(payloads, topics, (payload, topic) => {
        // A byte order mark means nothing, but makes bytes and characters differ in number: no shortcut takes it.
        const general = decode(Buffer.concat([BYTE_ORDER_MARK, payload]), topic)
        expect(decode(payload, topic)).toEqual(general)
      }),
      { numRuns: 10_000 },
    )
  })

  it('reads every number exactly as JSON does', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), numbers), (number) => {
        const text = `${number}`
        const expected = Number(text)
        fc.pre(text.trim() !== '' && Number.isFinite(expected))
        expect(decode(text).readings.map(({ value }) => value)).toEqual([expected + 0])
      }),
      { numRuns: 3000 },
    )
  })

  it('takes the device from the topic only', () => {
    const other = match('sensors/{device}/{metric}', 'sensors/other/temp')
    fc.assert(
      fc.property(objects, (text) => {
        fc.pre(!text.includes('d1') && !text.includes('other') && !text.includes('device'))
        const [a, b] = [decode(text), decode(text, other)]
        expect(a.readings.map(withoutDevice)).toEqual(b.readings.map(withoutDevice))
      }),
    )
  })

  it('takes time in proportion to the payload, however hostile', () => {
    const hostile = [
      '"\\"'.repeat(20_000),
      `{"a":${'"\\"'.repeat(20_000)}`,
      `[${'nan,'.repeat(15_000)}`,
      'nan'.repeat(20_000),
      '1'.repeat(60_000),
      `${'1'.repeat(60_000)}x`,
      `{"value":${'1'.repeat(60_000)}}`,
      `{"value":1,"time":"${'2'.repeat(60_000)}"}`,
      `[${'{},'.repeat(20_000)}{}]`,
      `{${Array.from({ length: 5000 }, (_, i) => `"k${i}":{}`).join(',')}}`,
      `{"value":1${' '.repeat(60_000)}`,
      '-'.repeat(60_000),
      `[${'{"n":"a"},'.repeat(5000)}{}]`,
    ]
    for (const text of hostile) {
      const before = process.cpuUsage()
      decode(text)
      // Linear ways take a few milliseconds of the processor, quadratic ones many seconds.
      expect(process.cpuUsage(before).user).toBeLessThan(1_000_000)
    }
  })
})
