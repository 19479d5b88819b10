import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePayload } from '../../../../gateway/ingest/decode/index.ts'
import { PlainReadings } from '../../../../gateway/ingest/plain/index.ts'
import type { TopicMatch } from '../../../../gateway/ingest/topics/index.ts'
import { viewOf } from '../../../../gateway/ingest/words.ts'
import { encodeLine, type Reading } from '../../../../sync/contract/index.ts'
import { damaged, payloads, topics } from '../decode/payloads.ts'
import { decode, LIMITS, match, OPEN, RECEIVED, TEMP } from '../decode/support.ts'

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** What the decoder makes of it the long way: no shortcut takes a byte order mark. */
const decoded = (payload: Buffer, topic: TopicMatch) => decode(Buffer.concat([BYTE_ORDER_MARK, payload]), topic)

/** Numbers as devices print them. */
const printed = fc
  .tuple(fc.constantFrom('', '-'), fc.nat(10 ** 7), fc.constantFrom('', '.'), fc.stringMatching(/^\d{0,7}$/))
  .map(([sign, whole, point, decimals]) => (point && decimals ? `${sign}${whole}.${decimals}` : `${sign}${whole}`))
const blank = fc.constantFrom('', '', '', ' ', '\t', '\r\n')
const word = fc.stringMatching(/^[ -!#-[\]-~]{1,12}$/)
const quoted = word.map((text) => `"${text}"`)
/** What devices send all day, in any order, with keys that say nothing. */
const everyday = fc
  .record(
    {
      value: fc.oneof(printed, printed, fc.constantFrom('true', 'false')),
      time: fc
        .integer({ min: RECEIVED - 10 ** 6, max: RECEIVED + 10 ** 6 })
        .chain((time) =>
          fc.constantFrom(`${time}`, `${time}`, `${time}`, `${time / 1000}`, JSON.stringify(new Date(time))),
        ),
      seq: fc.oneof(
        fc.nat().map(String),
        fc.nat(2 ** 31).map((seq) => `${seq}.0`),
      ),
      unit: quoted,
      session: quoted,
      id: quoted,
      quality: fc.constantFrom('"good"', '"uncertain"', '"bad"'),
      device: fc.constant('"d1"'),
      model: fc.oneof(quoted, printed, fc.constant('true')),
    },
    { requiredKeys: ['value'] },
  )
  .chain((fields) => fc.shuffledSubarray(Object.entries(fields), { minLength: Object.keys(fields).length }))
  .chain((members) => fc.tuple(fc.constant(members), blank, blank))
  .map(([members, a, b]) =>
    `${b}{${members.map(([key, value]) => `${a}"${key}"${b}:${a}${value}`).join(`${b},`)}${a}}${b}`.replace(/^\s+/, ''),
  )
const anything = fc.oneof(
  payloads,
  everyday.map((text) => Buffer.from(text)),
  damaged(everyday).map((text) => Buffer.from(text)),
)

/** The same text with all its numbers a little on, as a counter and a clock go; often one of them is something else. */
const another = (text: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat(14), fc.oneof(printed, fc.nat(9).map(String), fc.string({ maxLength: 3 }))).map(([odd, piece]) => {
    let i = 0
    return text.replace(/\d+(\.\d+)?/g, (digits) =>
      i++ === odd ? piece : digits.replace(/.$/, (last) => `${(Number(last) + 3) % 10}`),
    )
  })
const sequences = everyday.chain((text) =>
  fc
    .tuple(fc.constant(text), fc.array(another(text), { minLength: 3, maxLength: 6 }))
    .map(([one, others]) => [one, ...others]),
)

const shared = new PlainReadings()

interface Circumstances {
  topic?: TopicMatch
  life?: number
  received?: number
  plain?: PlainReadings
  /** Whether it is a part of a chunk. */
  around?: boolean
}

/** Reads a payload that lies somewhere in a chunk; null when it is not plain. */
function read(
  payload: Buffer | string,
  { topic = TEMP, life = 1, received = RECEIVED, plain = shared, around = true }: Circumstances = {},
): { reading: Reading; line: string } | null {
  const bytes = Buffer.from(payload)
  // What is around it would go on with a number, a text or an object.
  const before = Buffer.from(around ? '1"' : '')
  const data = Buffer.concat([before, bytes, Buffer.from(around ? '0"}' : '')])
  const [start, end] = [before.length, before.length + bytes.length]
  const view = viewOf(data)
  const reading = plain.read(topic, data, view, start, end, received, LIMITS)
  if (reading === null) return null
  const room = Buffer.alloc(5 + plain.room(topic), '.')
  const into = { bytes: room, view: viewOf(room), length: 5 }
  plain.write(topic, reading, life, into)
  expect(into.bytes.toString('utf8', 0, 5)).toBe('.....')
  return { reading, line: into.bytes.toString('utf8', 5, into.length) }
}

/** Whether it is plain; and if it is, that it is what the decoder makes of it. */
function isDecoded(payload: Buffer, circumstances: Circumstances): boolean {
  const { topic = TEMP, life = 1, received = RECEIVED } = circumstances
  const found = read(payload, circumstances)
  if (found === null) return false
  const { readings, problem } = decodePayload(topic, Buffer.concat([BYTE_ORDER_MARK, payload]), received, LIMITS)
  expect({ readings, problem }).toEqual({ readings: [found.reading], problem: null })
  expect(Object.is(found.reading.value, readings[0]?.value)).toBe(true)
  expect(found.line).toBe(`${encodeLine(life > 1 ? { ...found.reading, life } : found.reading)}\n`)
  return true
}

describe('a plain reading', () => {
  it('is that also when it is like the one before of its topic, but for its numbers, whatever came of others meanwhile', () => {
    let [taken, again] = [0, 0]
    const sent = fc.array(fc.tuple(sequences, topics), { minLength: 1, maxLength: 3 })
    const rest = fc.array(fc.tuple(fc.nat(2), fc.constantFrom(1, 1, 1, 2), fc.nat(2), fc.boolean()), { minLength: 12 })
    fc.assert(
      fc.property(sent, rest, (devices, turns) => {
        const plain = new PlainReadings()
        const next = devices.map(() => 0)
        for (const [turn, life, later, around] of turns) {
          const n = turn % devices.length
          const [texts, topic] = devices[n] ?? [[], TEMP]
          const i = next[n] ?? 0
          next[n] = i + 1
          const text = texts[i % texts.length] ?? ''
          if (!isDecoded(Buffer.from(text), { topic, plain, life, around, received: RECEIVED + later })) continue
          taken++
          if (i > 0) again++
        }
      }),
      { numRuns: 3000 },
    )
    expect(taken).toBeGreaterThan(3000)
    expect(again).toBeGreaterThan(2000)
  })

  it('is that also of a topic whose device takes to saying its time in another way', () => {
    const plain = new PlainReadings()
    for (const time of ['1767225600000', '1767225600001', '1767225601', '1767225602', '1767225600003'])
      expect(isDecoded(Buffer.from(`{"value":1,"time":${time}}`), { plain })).toBe(true)
  })

  it('holds no large payload for its topic', () => {
    const plain = new PlainReadings()
    const text = `{"value":1,"note":"${'x'.repeat(60_000)}"}`
    const before = process.memoryUsage().arrayBuffers
    const topicsHeard = Array.from({ length: 1000 }, (_, i) => match('sensors/{device}/{metric}', `sensors/d${i}/temp`))
    const payload = Buffer.from(text)
    const view = viewOf(payload)
    const room = Buffer.alloc(70_000)
    for (const topic of topicsHeard) {
      const reading = plain.read(topic, payload, view, 0, payload.length, RECEIVED, LIMITS)
      if (reading === null) throw new Error('expected a plain reading')
      plain.write(topic, reading, 1, { bytes: room, view: viewOf(room), length: 0 })
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000)
  })

  it('is what the decoder makes of the payload, and so is its line, for whatever comes', () => {
    let taken = 0
    fc.assert(
      fc.property(anything, topics, fc.constantFrom(1, 1, 2, 4711), fc.boolean(), (payload, topic, life, around) => {
        if (isDecoded(payload, { topic, life, around })) taken++
      }),
      { numRuns: 20_000 },
    )
    expect(taken).toBeGreaterThan(2000)
  })

  it('is all that devices send every day', () => {
    fc.assert(
      fc.property(everyday, (text) => {
        expect(read(text)).not.toBeNull()
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['a bare number', '21.5'],
    ['a negative one', '-0.125'],
    ['true', 'true'],
    ['false', 'false'],
    ['zeros at the end', '21.500'],
    ['nothing but zeros', '0.000'],
    ['less than nothing', '-0'],
    ['an object', '{"value":21.5}'],
    [
      'all that can be said',
      '{"device":"d1","value":true,"time":1767225600000,"unit":"Cel","seq":7,"id":"x","quality":"bad","boot":"b"}',
    ],
    ['blanks', '{ "value" :\t21.5\r\n, "ts": 1767225600000 }\n'],
    ['the long name of time', '{"timestamp":1767225600000,"value":1}'],
    ['what says nothing here', '{"value":1,"model":"X-100","battery":3.1,"charging":false,"firmware version":"1.0"}'],
    ['a name that begins like another', '{"value":1,"timexxxxx":5,"timestamq":6,"valu":2,"sess":3}'],
    ['a time in seconds', '{"value":1,"time":1767225600}'],
    ['a time with fractions', '{"value":1,"time":1767225600000.5}'],
    ['a time as a text', '{"value":1,"time":"2026-01-01T00:00:00.125+01:00"}'],
    ['15 digits', '{"value":1234567.12345678}'],
    ['a whole number written with a point', '{"value":1.0,"seq":7.0}'],
  ])('is read from %s', (_, text) => {
    const found = read(text)
    const { readings } = decoded(Buffer.from(text), TEMP)
    expect([found?.reading]).toEqual(readings)
    expect(found?.line).toBe(`${encodeLine(readings[0] as Reading)}\n`)
  })

  it.each([
    ['nothing', ''],
    ['a topic without a metric', '21.5', OPEN],
    ['a topic that cannot be a reading', '21.5', match('sensors/{device}/{metric}', 'sensors/__proto__/temp')],
    ['16 digits', '1.234567890123456'],
    ['an exponent', '1e3'],
    ['what JSON would write with an exponent', '0.0000001'],
    ['a zero in front', '07'],
    ['a point at the end', '7.'],
    ['a point in front', '.7'],
    ['nothing but a point', '.'],
    ['two points', '1.2.3'],
    ['a sign', '+7'],
    ['blanks around a number', ' 7'],
    ['a word', 'truth'],
    ['half a word', 'tru'],
    ['a text', '"open"'],
    ['null', 'null'],
    ['an array', '[1]'],
    ['no value', '{"time":1767225600000}'],
    ['metrics', '{"temp":1,"hum":2}'],
    ['a text as value', '{"value":"open"}'],
    ['null as value', '{"value":null}'],
    ['a key twice', '{"value":1,"value":2}'],
    ['a key and its alias', '{"value":1,"ts":1767225600000,"time":1767225600000}'],
    ['a metric', '{"value":1,"metric":"m"}'],
    ['labels', '{"value":1,"labels":{}}'],
    ['labels that are none', '{"value":1,"labels":3}'],
    ['another device', '{"value":1,"device":"d2"}'],
    ['a device without a name', '{"value":1,"device":""}', match('u/{device}/{metric}', 'u/d"1/temp')],
    ['another device of the same beginning', '{"value":1,"device":"d1x"}'],
    ['a device that is none', '{"value":1,"device":1}'],
    ['a time that is none', '{"value":1,"time":"yesterday"}'],
    ['a time ahead as a text', '{"value":1,"time":"2036-01-01T00:00:00Z"}'],
    ['a time ahead', '{"value":1,"time":1767229200501}'],
    ['a time too far back', '{"value":1,"time":1451865600499}'],
    ['a counter below 0', '{"value":1,"seq":-1}'],
    ['a counter with fractions', '{"value":1,"seq":1.5}'],
    ['a session that is a number', '{"value":1,"session":5}'],
    ['an empty session', '{"value":1,"session":""}'],
    ['a long session', `{"value":1,"session":"${'s'.repeat(129)}"}`],
    ['a unit that is none', '{"value":1,"unit":1}'],
    ['a long unit', `{"value":1,"unit":"${'u'.repeat(33)}"}`],
    ['an id that is a number', '{"value":1,"id":5}'],
    ['an unknown quality', '{"value":1,"quality":"odd"}'],
    ['an escape', '{"value":1,"id":"a\\nb"}'],
    ['a control character', '{"value":1,"id":"a\u0001b"}'],
    ['DEL', '{"value":1,"id":"a\u007fb"}'],
    ['what is not ASCII', '{"value":1,"unit":"°C"}'],
    ['nesting', '{"value":1,"x":{}}'],
    ['a long key', `{"value":1,"${'k'.repeat(33)}":1}`],
    ['a comma too many', '{"value":1,}'],
    ['a missing comma', '{"value":1 "seq":1}'],
    ['a missing colon', '{"value" 1}'],
    ['an open object', '{"value":1'],
    ['an open text', '{"value":1,"id":"x'],
    ['an open key', '{"value'],
    ['something behind', '{"value":1} 2'],
  ])('is not read from %s: the decoder decides', (_, text, topic = TEMP) => {
    expect(read(text, { topic })).toBeNull()
    expect(read(text, { topic, around: false })).toBeNull()
  })
})
