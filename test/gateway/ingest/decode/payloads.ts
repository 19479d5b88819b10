import fc from 'fast-check'
import { match, OPEN, TEMP } from './support.ts'

const TOPICS = [
  TEMP,
  OPEN,
  match({ template: 'u/{device}/{metric}', unit: 'Grad "C"', labels: { ü: 'ß' } }, 'u/d1/temp'),
  match('u/{device}/{metric}', 'u/d"1/ü'),
  match({ template: '{line}/{device}', metric: 'm', unit: 'Cel', labels: { a: 'b' } }, 'L1/d1'),
]
export const topics = fc.constantFrom(...TOPICS)

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
export const objects = fc.array(fc.tuple(keys, written), { maxLength: 8 }).map((entries) => {
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
export const numbers = fc.stringMatching(/^ ?[-+]?\d{0,18}(\.\d{0,18})?([eE][-+]?\d{0,3})? ?$/)
const blanks = fc.stringMatching(/^[ \t\n\r]*$/)
const spaced = fc
  .tuple(fc.oneof(usual, objects), blanks, blanks)
  .map(([text, a, b]) => a + text.replaceAll(':', `${b}:${a}`).replaceAll(',', `${a},${b}`) + b)
const texts = fc.oneof(usual, objects, lists, numbers, spaced, fc.string(), fc.json())
/** Nearly right texts: one piece of the text is replaced by another. */
export const damaged = (whole: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      whole,
      fc.nat(200),
      fc.nat(3),
      fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('"', '\\', '{', ',', 'nan', '-', '.')),
    )
    .map(
      ([text, at, cut, piece]) =>
        text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + cut),
    )
/** Anything that may come, most of it nearly right. */
export const payloads = fc.oneof(
  texts.map((text) => Buffer.from(text)),
  damaged(texts).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
)
