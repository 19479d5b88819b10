import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameFilter, type Protocol } from '../../../simulators/faults/index.ts'

interface Frame {
  bytes: Buffer
  message: boolean
}

const crlf = '\r\n'
const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const natsControl = fc
  .constantFrom('PING', 'PONG', '+OK', "-ERR 'Authorization Violation'", 'INFO {"server_id":"MSG a 1 5"}', 'ping')
  .map((line): Frame => ({ bytes: Buffer.from(line + crlf), message: false }))
const natsMessage = fc
  .tuple(fc.constantFrom('_INBOX.a.1', 'foo'), fc.boolean(), fc.boolean(), payload)
  .map(([subject, reply, withHeaders, body]): Frame => {
    const header = withHeaders ? Buffer.from(`NATS/1.0${crlf}A: b${crlf}${crlf}`) : Buffer.alloc(0)
    const sizes = withHeaders ? `${header.length} ${header.length + body.length}` : `${body.length}`
    const line = `${withHeaders ? 'HMSG' : 'MSG'} ${subject} 7 ${reply ? 'reply.to ' : ''}${sizes}${crlf}`
    return { bytes: Buffer.concat([Buffer.from(line), header, body, Buffer.from(crlf)]), message: true }
  })

const mqttFrame = fc
  .tuple(fc.integer({ min: 1, max: 14 }), fc.integer({ min: 0, max: 15 }), fc.uint8Array({ maxLength: 400 }))
  .map(([type, flags, body]): Frame => {
    const length = body.length < 128 ? [body.length] : [(body.length % 128) | 0x80, Math.floor(body.length / 128)]
    return { bytes: Buffer.from([(type << 4) | flags, ...length, ...body]), message: type >= 3 && type <= 7 }
  })

const FRAMES: Record<Protocol, fc.Arbitrary<Frame>> = { nats: fc.oneof(natsControl, natsMessage), mqtt: mqttFrame }

/** Cuts bytes at the given places, wherever frames begin. */
function chunks(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length)).filter((chunk) => chunk.length > 0)
}

describe.each(['nats', 'mqtt'] as const)('the filter for %s', (protocol) => {
  const frames = fc.array(FRAMES[protocol], { maxLength: 20 })
  const cuts = fc.array(fc.nat(5_000), { maxLength: 12 })

  it('changes nothing while nothing is swallowed, however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(frames, cuts, (all, places) => {
        const filter = frameFilter(protocol)
        const bytes = Buffer.concat(all.map((frame) => frame.bytes))
        const out = chunks(bytes, places).flatMap((chunk) => filter.push(chunk, false))
        expect(Buffer.concat(out).equals(bytes)).toBe(true)
      }),
    )
  })

  it('takes out the messages, whole, and nothing else', () => {
    fc.assert(
      fc.property(frames, cuts, (all, places) => {
        const filter = frameFilter(protocol)
        const bytes = Buffer.concat(all.map((frame) => frame.bytes))
        const out = chunks(bytes, places).flatMap((chunk) => filter.push(chunk, true))
        const expected = Buffer.concat(all.filter((frame) => !frame.message).map((frame) => frame.bytes))
        expect(Buffer.concat(out).equals(expected)).toBe(true)
      }),
    )
  })

  it('lets a message that had begun to pass end, and swallows the rest of one that had not', () => {
    fc.assert(
      fc.property(FRAMES[protocol], FRAMES[protocol], fc.nat(), (first, second, place) => {
        const filter = frameFilter(protocol)
        const bytes = Buffer.concat([first.bytes, second.bytes])
        // In the middle of the second frame, after its head.
        const cut = first.bytes.length + headLength(protocol, second.bytes)
        const at = cut + (place % (bytes.length - cut + 1))
        const out = [...filter.push(bytes.subarray(0, at), false), ...filter.push(bytes.subarray(at), true)]
        expect(Buffer.concat(out).equals(bytes)).toBe(true)
      }),
    )
  })
})

function headLength(protocol: Protocol, frame: Buffer): number {
  if (protocol === 'nats') return frame.indexOf('\n') + 1
  return (frame[1] ?? 0) & 0x80 ? 3 : 2
}
