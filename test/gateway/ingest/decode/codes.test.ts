import { describe, expect, it } from 'vitest'
import { DECODE_CODES, type DecodeCode, unknownTopic } from '../../../../gateway/ingest/decode/index.ts'
import { decode, match, OPEN, TEMP } from './support.ts'

const LONG_DEVICE = match('sensors/{device}/{metric}', `sensors/${'x'.repeat(257)}/temp`)
const LONG_METRIC = match('sensors/{device}/{metric}', `sensors/d1/${'x'.repeat(257)}`)
const BAD_LABEL = match('sensors/{room}/{device}', 'sensors/\u0001/d1')
const LABELLED = match({ template: 'sensors/{room}/{device}', metric: 'temp' }, 'sensors/r1/d1')
const many = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v'])))

/** Whole messages that are refused: nothing in them becomes a reading. */
const CASES: Array<[code: DecodeCode, payload: string | Buffer, topic?: typeof TEMP]> = [
  ['DEVICE_INVALID', '21.5', LONG_DEVICE],
  ['DEVICE_MISMATCH', '{"value":1,"device":"d2"}'],
  ['DEVICE_MISMATCH', '{"value":1,"device":1}'],
  ['DEVICE_MISMATCH', '{"a":1,"device":"d2"}'],
  ['METRIC_INVALID', '21.5', LONG_METRIC],
  ['METRIC_INVALID', '{"value":1,"metric":""}'],
  ['METRIC_INVALID', '{"value":1,"metric":"a\\u0000b"}'],
  ['METRIC_INVALID', '{"value":1,"metric":"\\ud800"}'],
  ['METRIC_INVALID', '{"value":1,"metric":5}'],
  ['METRIC_INVALID', '{"value":1,"metric":"__proto__"}'],
  ['METRIC_INVALID', '{"":1}'],
  ['METRIC_INVALID', `{"${'x'.repeat(257)}":1}`, OPEN],
  ['METRIC_INVALID', `{"${'x'.repeat(252)}":1}`],
  ['METRIC_INVALID', '{"metric":[],"a":1}'],
  ['METRIC_INVALID', `[{"n":"${'x'.repeat(255)}","s":1}]`, OPEN],
  ['METRIC_MISSING', '21.5', OPEN],
  ['METRIC_MISSING', '{"value":1}', OPEN],
  ['METRIC_MISSING', '[{"bn":"d1","v":1}]', OPEN],
  ['LABELS_INVALID', '21.5', BAD_LABEL],
  ['LABELS_INVALID', '{"value":1,"labels":"a"}'],
  ['LABELS_INVALID', '{"value":1,"labels":["a"]}'],
  ['LABELS_INVALID', '{"value":1,"labels":{"a":1}}'],
  ['LABELS_INVALID', '{"value":1,"labels":{"":"x"}}'],
  ['LABELS_INVALID', '{"value":1,"labels":{"a":""}}'],
  ['LABELS_INVALID', '{"value":1,"labels":{"a":"\\u007f"}}'],
  ['LABELS_INVALID', '{"value":1,"labels":{"__proto__":"x"}}'],
  ['LABELS_INVALID', `{"value":1,"labels":{"a":"${'x'.repeat(257)}"}}`],
  ['LABELS_INVALID', `{"value":1,"labels":${many(17)}}`],
  ['LABELS_INVALID', `{"value":1,"labels":${many(16)}}`, LABELLED],
  ['PAYLOAD_EMPTY', ''],
  ['PAYLOAD_EMPTY', ' \r\n'],
  ['PAYLOAD_TOO_LARGE', ' '.repeat(65_537)],
  ['PAYLOAD_NOT_UTF8', Buffer.from([0x22, 0xff, 0x22])],
  ['PAYLOAD_NOT_UTF8', Buffer.from([0x31, 0x80])],
  [
    'PAYLOAD_NOT_UTF8',
    Buffer.concat([Buffer.from('{"value":1,"id":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
  ],
  ['PAYLOAD_NOT_JSON', 'hello'],
  ['PAYLOAD_NOT_JSON', 'ON'],
  ['PAYLOAD_NOT_JSON', '21,5'],
  ['PAYLOAD_NOT_JSON', '21.5 C'],
  ['PAYLOAD_NOT_JSON', '0x1F'],
  ['PAYLOAD_NOT_JSON', '1_000'],
  ['PAYLOAD_NOT_JSON', '21.5\0'],
  ['PAYLOAD_NOT_JSON', '-'],
  ['PAYLOAD_NOT_JSON', '.'],
  ['PAYLOAD_NOT_JSON', '1.2.3'],
  ['PAYLOAD_NOT_JSON', '{"value":1'],
  ['PAYLOAD_NOT_JSON', '{"value":1,}'],
  ['PAYLOAD_NOT_JSON', '{"value":01}'],
  ['PAYLOAD_NOT_JSON', '{"value":1.}'],
  ['PAYLOAD_NOT_JSON', '{"value":1,"id":"a\nb"}'],
  ['PAYLOAD_NOT_JSON', '{"value":1}x'],
  ['PAYLOAD_NOT_JSON', "{'value':1}"],
  ['PAYLOAD_NOT_JSON', '{"value":truenan}'],
  ['PAYLOAD_NOT_JSON', '{"value":nan,"unclosed'],
  ['PAYLOAD_NOT_JSON', '"unclosed'],
  ['PAYLOAD_TOO_DEEP', `{"value":${'['.repeat(8)}${']'.repeat(8)}}`],
  ['PAYLOAD_TOO_DEEP', '['.repeat(60_000)],
  ['PAYLOAD_TOO_DEEP', '{"a":'.repeat(12_000)],
  ['PAYLOAD_NO_READINGS', '[]'],
  ['PAYLOAD_NO_READINGS', '{}'],
  ['PAYLOAD_NO_READINGS', '{"time":1767225600,"seq":3}'],
  ['PAYLOAD_NO_READINGS', '{"temp":null}'],
  ['PAYLOAD_NO_READINGS', '[{"bn":"d1:"}]'],
  ['PAYLOAD_TOO_MANY_READINGS', `[${Array.from({ length: 1001 }, () => '{"value":1}').join(',')}]`],
  ['READING_NOT_OBJECT', '[1]'],
  ['READING_NOT_OBJECT', '[null]'],
  ['READING_NOT_OBJECT', '[[{"value":1}]]'],
  ['VALUE_MISSING', 'null'],
  ['VALUE_MISSING', '{"value":null}'],
  ['VALUE_MISSING', '[{"n":"a"}]'],
  ['VALUE_TYPE', '{"value":{}}'],
  ['VALUE_TYPE', '{"value":[1]}'],
  ['VALUE_TYPE', '{"a":{"b":1}}'],
  ['VALUE_NOT_FINITE', 'NaN'],
  ['VALUE_NOT_FINITE', ' nan '],
  ['VALUE_NOT_FINITE', '-inf'],
  ['VALUE_NOT_FINITE', '+Infinity'],
  ['VALUE_NOT_FINITE', '1e999'],
  ['VALUE_NOT_FINITE', '-1e999'],
  ['VALUE_NOT_FINITE', '{"value":NaN}'],
  ['VALUE_NOT_FINITE', '{"value":-Infinity,"unit":"nan"}'],
  ['VALUE_NOT_FINITE', '{"value":1e999}'],
  ['VALUE_NOT_FINITE', '{ "value" : nan }'],
  ['VALUE_NOT_FINITE', '[{"value":inf}]'],
  ['VALUE_NOT_FINITE', '[{"n":"a","v":1e308,"bv":1e308}]'],
  ['VALUE_TEXT_INVALID', `"${'x'.repeat(1025)}"`],
  ['VALUE_TEXT_INVALID', '"a\\u0000"'],
  ['VALUE_TEXT_INVALID', '{"value":"\\udc00"}'],
  ['VALUE_TEXT_INVALID', '{"a":"\\u001b[2J"}'],
  ['TIME_INVALID', '{"value":1,"time":"yesterday"}'],
  ['TIME_INVALID', '{"value":1,"time":"2026-01-01T00:00:00"}'],
  ['TIME_INVALID', '{"value":1,"time":true}'],
  ['TIME_INVALID', '{"value":1,"time":{}}'],
  ['TIME_INVALID', '{"value":1,"time":1e300}'],
  ['TIME_INVALID', '{"value":1,"time":NaN}'],
  ['TIME_TOO_OLD', '{"value":1,"time":0}'],
  ['TIME_TOO_OLD', '{"value":1,"time":-1767225600}'],
  ['TIME_TOO_OLD', '{"value":1,"ts":"1999-12-31T23:59:59Z"}'],
  ['TIME_IN_FUTURE', '{"value":1,"time":"2026-01-01T01:00:01Z"}'],
  ['TIME_IN_FUTURE', '{"value":1,"time":1767225600000000}'],
  ['TIME_IN_FUTURE', '[{"n":"a","v":1,"t":3601}]'],
  ['SEQ_INVALID', '{"value":1,"seq":-1}'],
  ['SEQ_INVALID', '{"value":1,"seq":1.5}'],
  ['SEQ_INVALID', '{"value":1,"seq":"7"}'],
  ['SEQ_INVALID', '{"value":1,"seq":9007199254740993}'],
  ['SEQ_INVALID', '{"value":1,"seq":1e999}'],
  ['ID_INVALID', '{"value":1,"id":""}'],
  ['ID_INVALID', '{"value":1,"id":true}'],
  ['ID_INVALID', '{"value":1,"id":1.5}'],
  ['ID_INVALID', '{"value":1,"id":12345678901234567890}'],
  ['ID_INVALID', '{"value":1,"id":"a\\n"}'],
  ['ID_INVALID', `{"value":1,"id":"${'x'.repeat(129)}"}`],
  ['SESSION_INVALID', '{"value":1,"session":""}'],
  ['SESSION_INVALID', '{"value":1,"boot":[]}'],
  ['SESSION_INVALID', `{"value":1,"boot":"${'x'.repeat(129)}"}`],
  ['QUALITY_INVALID', '{"value":1,"quality":"GOOD"}'],
  ['QUALITY_INVALID', '{"value":1,"quality":192}'],
  ['UNIT_INVALID', '{"value":1,"unit":""}'],
  ['UNIT_INVALID', '{"value":1,"unit":1}'],
  ['UNIT_INVALID', '{"value":1,"unit":"\\u0085"}'],
  ['UNIT_INVALID', `{"value":1,"unit":"${'x'.repeat(33)}"}`],
  ['SENML_VERSION', '[{"bver":11,"n":"a","v":1}]'],
  ['SENML_VERSION', '[{"bver":0,"n":"a","v":1}]'],
  ['SENML_VERSION', '[{"bver":"5","n":"a","v":1}]'],
  ['SENML_VERSION', '[{"bver":5,"n":"a","v":1},{"bver":6,"n":"b","v":1}]'],
  ['SENML_BASE_INVALID', '[{"bn":"x","bt":"now","v":1},{"v":2}]'],
  ['SENML_BASE_INVALID', '[{"n":"a","bu":5,"v":1}]'],
  ['SENML_BASE_INVALID', '[{"n":"a","bv":true,"v":1}]'],
  ['SENML_BASE_INVALID', '[{"n":"a","bs":1e999,"v":1}]'],
  ['SENML_BASE_INVALID', '[{"n":"a","bn":7,"v":1}]'],
  ['SENML_RECORD_INVALID', '[{"n":"a","v":1,"vb":true}]'],
  ['SENML_RECORD_INVALID', '[{"bn":"a","n":5,"v":1}]'],
  ['SENML_FIELD_UNKNOWN', '[{"n":"a","v":1},{"n":"b","v":1,"ct_":"60"}]'],
]

/** Shown in said.test.ts. */
const SAID: readonly DecodeCode[] = ['CONTENT_TYPE_UNSUPPORTED', 'MESSAGE_EXPIRED']

describe('refusals', () => {
  it.each(CASES)('%s for %j', (code, payload, topic) => {
    const result = decode(payload, topic ?? TEMP)
    expect(result.readings).toEqual([])
    expect(result.problem?.code).toBe(code)
    expect(result.problem?.reason.length).toBeGreaterThan(10)
    expect(result.problem?.reason.length).toBeLessThan(700)
  })

  it('are shown here for every code that there is', () => {
    const shown = new Set<string>([...CASES.map(([code]) => code), unknownTopic('x').code, ...SAID])
    expect([...shown].sort()).toEqual(Object.keys(DECODE_CODES).sort())
  })

  it.each([
    ['device 256 long', match('sensors/{device}/{metric}', `sensors/${'x'.repeat(256)}/temp`), '1'],
    ['metric 256 long', TEMP, `{"value":1,"metric":"${'x'.repeat(251)}"}`],
    ['text 1024 long', TEMP, `"${'x'.repeat(1024)}"`],
    ['id and session 128 long', TEMP, `{"value":1,"id":"${'x'.repeat(128)}","session":"${'y'.repeat(128)}"}`],
    ['unit 32 long', TEMP, `{"value":1,"unit":"${'x'.repeat(32)}"}`],
    ['16 labels', TEMP, `{"value":1,"labels":${many(16)}}`],
    ['time exactly at maxFuture', TEMP, '{"value":1,"time":1767229200500}'],
    ['nested 8 deep', TEMP, `{"value":1,"x":${'['.repeat(7)}${']'.repeat(7)}}`],
    ['braces in texts', TEMP, `{"value":"\\"${'{['.repeat(100)}"}`],
    ['braces side by side', TEMP, `{"value":1,"x":[${'[],{},'.repeat(20)}0]}`],
  ])('stop at the limit: %s is taken', (_, topic, payload) => {
    const result = decode(payload, topic)
    expect(result.problem).toBeNull()
    expect(result.readings).toHaveLength(1)
  })

  it('show the text as it came', () => {
    expect(decode('{"value":nanx}').problem?.reason).toContain('nanx')
  })

  it('name an unknown topic, cut to a readable length', () => {
    expect(unknownTopic('a/b')).toEqual({
      code: 'TOPIC_UNKNOWN',
      reason: "no topic template and no local topic filter matches 'a/b'",
    })
    expect(unknownTopic('x'.repeat(60_000)).reason.length).toBeLessThan(200)
  })
})
