import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Answer,
  decodeAnswer,
  decodeRequest,
  encodeMessage,
  PROTOCOL_VERSION,
  type Request,
} from '../../../gateway/failover/protocol.ts'
import { byLane, LANES } from '../../../sync/contract/index.ts'

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

const SENDER = { site: 'plant-1', gateway: 'gw-1', epoch: 'e1' }
const LANES_AT_0 = byLane(() => ({ next: 0, lineage: null }))

/** A message as another release may write it. */
function say(value: unknown, body = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, body])
}

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
    const wrong = [
      [],
      { kind: 'other' },
      { kind: 'hello' },
      { kind: 'hello', version: PROTOCOL_VERSION, ...SENDER },
      { kind: 'hello', version: '1', ...SENDER, lanes: LANES_AT_0 },
      { kind: 'beat', lanes: { readings: {} } },
      { kind: 'blocks', blocks: 1, gaps: [] },
      { kind: 'blocks', blocks: [{ lane: 'x', bytes: 0 }], gaps: [] },
      { kind: 'blocks', blocks: [{ lane: 'events', bytes: -1 }], gaps: [] },
      { kind: 'blocks', blocks: [], gaps: [{ lane: 'events', gap: { from: 'a', to: 1 } }] },
    ]
    for (const value of wrong) expect(() => decodeRequest(say(value)), JSON.stringify(value)).toThrow(/no message/)
    expect(() => decodeAnswer(say({ kind: 'stored', next: {} }))).toThrow(/no message/)
  })

  it('may say more than is known here', () => {
    const more = { later: { since: 1 }, alsoLater: [1] }
    const progress = byLane(() => ({ next: 1, sequence: 2, tail: 0, skipped: [], ...more }))
    const requests: Request[] = [
      { kind: 'hello', version: PROTOCOL_VERSION, ...SENDER, lanes: LANES_AT_0 },
      { kind: 'beat', lanes: progress },
      { kind: 'rules', sets: { file: { given: {}, revision: 'r', since: 1 } } },
      { kind: 'leaving' },
    ]
    for (const request of requests) expect(decodeRequest(say({ ...request, ...more }))).toMatchObject(request)
    const answers: Answer[] = [
      { kind: 'welcome', version: PROTOCOL_VERSION, gateway: 'gw-2', epoch: 'e2', have: LANES_AT_0 },
      { kind: 'stored', next: byLane(() => 1), epoch: 'e2', head: 1, settled: null, skipped: [] },
      { kind: 'beat' },
      { kind: 'refused', code: 'X', message: 'y' },
    ]
    for (const answer of answers) expect(decodeAnswer(say({ ...answer, ...more }))).toMatchObject(answer)
    const gap = { from: 0, to: 1, reason: 'evicted' }
    const blocks = {
      kind: 'blocks',
      blocks: [{ lane: 'readings', bytes: 3, ...more }],
      gaps: [{ lane: 'events', gap, ...more }],
      ...more,
    }
    expect(decodeRequest(say(blocks, Buffer.from('abc')))).toMatchObject({
      blocks: [{ lane: 'readings', value: Buffer.from('abc') }],
      gaps: [{ lane: 'events', gap }],
    })
  })

  it('is known for a hello under any version, whatever else that says', () => {
    const hello = { kind: 'hello', version: PROTOCOL_VERSION + 1, ...SENDER, shards: 3 }
    expect(decodeRequest(say(hello))).toMatchObject({ version: PROTOCOL_VERSION + 1, ...SENDER })
  })
})
