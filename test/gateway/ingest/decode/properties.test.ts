import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DECODE_CODES } from '../../../../gateway/ingest/decode/index.ts'
import { decodeLine, encodeLine, type Reading } from '../../../../sync/contract/index.ts'
import { numbers, objects, payloads, topics } from './payloads.ts'
import { decode, match } from './support.ts'

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
