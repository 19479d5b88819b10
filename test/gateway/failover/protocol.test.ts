import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeAnswer, decodeRequest, encodeMessage, type Request } from '../../../gateway/failover/protocol.ts'
import { LANES } from '../../../sync/contract/index.ts'

const lane = fc.constantFrom(...LANES)
const blocks = fc.array(
  fc.record({ lane, value: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) }),
)
const gaps = fc.array(
  fc.record({
    lane,
    gap: fc.record({ from: fc.nat(), to: fc.nat(), reason: fc.constantFrom('evicted' as const, 'repeated' as const) }),
  }),
)

describe('a message between gateways', () => {
  it('comes back as it was, blocks to the byte', () => {
    fc.assert(
      fc.property(blocks, gaps, (blocks, gaps) => {
        const request: Request = { kind: 'blocks', blocks, gaps }
        expect(decodeRequest(encodeMessage(request))).toEqual(request)
      }),
    )
  })

  it('that is cut short, or longer than it says, is refused', () => {
    const whole = encodeMessage({ kind: 'blocks', blocks: [{ lane: 'events', value: Buffer.from('abc') }], gaps: [] })
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeRequest(whole.subarray(0, length))).toThrow(/no message of a gateway/)
    expect(() => decodeRequest(Buffer.concat([whole, Buffer.from('x')]))).toThrow(/its blocks have 3 bytes/)
  })

  it('of any other bytes is refused, never taken for something', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => decodeRequest(Buffer.from(bytes))).toThrow(/no message of a gateway/)
        expect(() => decodeAnswer(Buffer.from(bytes))).toThrow(/no message of a gateway/)
      }),
    )
  })

  it('that is JSON, and says something that no gateway says, is refused', () => {
    const say = (value: unknown): Buffer => {
      const text = Buffer.from(JSON.stringify(value))
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length)
      return Buffer.concat([length, text])
    }
    const wrong = [
      [],
      { kind: 'other' },
      { kind: 'hello' },
      { kind: 'beat', lanes: { readings: {} } },
      { kind: 'blocks', blocks: 1, gaps: [] },
      { kind: 'blocks', blocks: [{ lane: 'x', bytes: 0 }], gaps: [] },
      { kind: 'blocks', blocks: [{ lane: 'events', bytes: -1 }], gaps: [] },
      { kind: 'blocks', blocks: [], gaps: [{ lane: 'events', gap: { from: 'a', to: 1 } }] },
    ]
    for (const value of wrong) expect(() => decodeRequest(say(value)), JSON.stringify(value)).toThrow(/no message/)
    expect(() => decodeAnswer(say({ kind: 'stored', next: {} }))).toThrow(/no message/)
  })
})
