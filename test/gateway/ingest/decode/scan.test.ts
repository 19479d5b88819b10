import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Fields, readFields } from '../../../../gateway/ingest/decode/fields.ts'
import { scanNumber } from '../../../../gateway/ingest/decode/number.ts'
import { scanObject } from '../../../../gateway/ingest/decode/scan.ts'

const scan = (text: string): Fields | null => scanObject(text, Buffer.from(text))

describe('scanObject', () => {
  it.each([
    '{"value":21.5}',
    '{"value":true,"time":1767225600000,"unit":"Cel","seq":7,"quality":"good","session":"b-1"}',
    ' {\t"value" :\n-0.001 , "id": "x y" ,"device":"d","metric":"m"}\r\n',
    '{"ts":1767225600.25,"value":false,"boot":3}',
    '{"value":123456789012345}',
    '{"value":1,"unit":""}',
  ])('takes the short way for %s', (text) => {
    expect(scan(text)).toEqual(readFields(JSON.parse(text)))
  })

  it.each([
    ['no value', '{"unit":"Cel"}'],
    ['nothing', '{}'],
    ['a text as value', '{"value":"open"}'],
    ['null', '{"value":1,"unit":null}'],
    ['an unknown key', '{"value":1,"rssi":-70}'],
    ['a key that begins like a known one', '{"valuf":1}'],
    ...['id', 'ts', 'seq', 'time', 'unit', 'boot', 'values', 'metric', 'device', 'quality', 'session'].flatMap(
      (key) => [
        [`more than ${key}`, `{"value":1,"${key}x":2}`],
        [`less than ${key}`, `{"value":1,"${key.slice(0, -1)}":2}`],
        [`another end of ${key}`, `{"value":1,"${key.slice(0, -1)}x":2}`],
        [`NUL before ${key}`, `{"value":1,"\0${key}":2}`],
      ],
    ),
    ['more than value', '{"valuex":1}'],
    ['NUL in value', '{"valu\0e":1}'],
    ['a long key', '{"value":1,"timestamp":5}'],
    ['a key twice', '{"value":1,"value":2}'],
    ['a key and its alias', '{"value":1,"ts":1,"time":2}'],
    ['an escape', '{"value":1,"id":"a\\nb"}'],
    ['an exponent', '{"value":1e3}'],
    ['many digits', '{"value":0.1234567890123456}'],
    ['a zero in front', '{"value":01}'],
    ['a point at the end', '{"value":1.}'],
    ['a point in front', '{"value":.5}'],
    ['two points', '{"value":1.2.3}'],
    ['a lone minus', '{"value":-}'],
    ['two minus', '{"value":--1}'],
    ['a word', '{"value":truth}'],
    ['a nested object', '{"value":1,"labels":{}}'],
    ['a comma too many', '{"value":1,}'],
    ['a missing comma', '{"value":1 "unit":"m"}'],
    ['an open object', '{"value":1'],
    ['an open text', '{"value":1,"id":"x'],
    ['an open key', '{"value'],
    ['text behind', '{"value":1} 2'],
    ['an array', '[{"value":1}]'],
    ['emptiness', ''],
  ])('gives up on %s', (_, text) => {
    expect(scan(text)).toBeNull()
  })

  it('reads decimals as JSON.parse does, to the last bit', () => {
    const decimals = fc
      .tuple(
        fc.boolean(),
        fc.maxSafeNat().map((digits) => `${digits % 1e15}`),
        fc.nat(14),
      )
      .map(([minus, digits, places]) => {
        const padded = digits.padStart(places + 1, '0')
        const text = places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`
        return minus ? `-${text}` : text
      })
    fc.assert(
      fc.property(decimals, (text) => {
        expect(scan(`{"value":${text}}`)?.value).toBe(JSON.parse(text))
        if (text.length <= 15) expect(scanNumber(Buffer.from(text))).toBe(JSON.parse(text))
      }),
      { numRuns: 3000 },
    )
  })
})
