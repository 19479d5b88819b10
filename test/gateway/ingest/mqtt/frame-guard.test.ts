import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { FrameGuard, type FrameLimits, type FrameSink } from '../../../../gateway/ingest/mqtt/frame-guard.ts'
import type { ViolationCode } from '../../../../gateway/ingest/mqtt/violation.ts'
import {
  connectPacket,
  disconnectPacket,
  frame,
  pingreqPacket,
  pubackPacket,
  publishPacket,
  pubrelPacket,
  remainingLength,
  subscribePacket,
  text,
  unsubscribePacket,
} from './support/packets.ts'

const limits: FrameLimits = {
  maxConnectBytes: 8192,
  maxPublishBytes: 256 * 1024,
  maxSubscribeBytes: 16 * 1024,
  maxFiltersPerPacket: 100,
  maxClientIdBytes: 256,
  maxTopicBytes: 1024,
  maxTopicLevels: 32,
}
const connected = connectPacket()
const invalidUtf8 = Buffer.from([0x61, 0xff, 0x62])

/** What passes and what is refused when the bytes come in these chunks. */
function run(chunks: readonly Buffer[], size = limits): { passed: Buffer; code: ViolationCode | null } {
  const guard = new FrameGuard(size)
  const passed: Buffer[] = []
  for (const chunk of chunks) {
    const fault = guard.push(Buffer.from(chunk))
    if (fault !== null) return { passed: Buffer.concat(passed), code: fault.code }
    // A copy, because the guard may not keep what it has handed out.
    if (guard.passed !== null) passed.push(Buffer.from(guard.passed))
  }
  return { passed: Buffer.concat(passed), code: null }
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end))
}

describe('violations', () => {
  const cases: Array<[name: string, code: ViolationCode, bytes: Buffer]> = [
    ['a first packet that is not CONNECT', 'FIRST_NOT_CONNECT', publishPacket()],
    ['PINGREQ first', 'FIRST_NOT_CONNECT', pingreqPacket],
    ['a second CONNECT', 'SECOND_CONNECT', Buffer.concat([connected, connected])],
    ['packet type 0', 'PACKET_TYPE_FORBIDDEN', Buffer.concat([connected, frame(0x00, [])])],
    ['packet type 15 (AUTH)', 'PACKET_TYPE_FORBIDDEN', Buffer.concat([connected, frame(0xf0, [])])],
    ['CONNACK from a client', 'PACKET_TYPE_FORBIDDEN', Buffer.concat([connected, frame(0x20, [0, 0])])],
    ['SUBACK from a client', 'PACKET_TYPE_FORBIDDEN', Buffer.concat([connected, frame(0x90, [0, 1, 0])])],
    ['PINGRESP from a client', 'PACKET_TYPE_FORBIDDEN', Buffer.concat([connected, frame(0xd0, [])])],
    ['reserved flags on CONNECT', 'FLAGS_RESERVED', frame(0x11, connected.subarray(2))],
    ['reserved flags on SUBSCRIBE', 'FLAGS_RESERVED', Buffer.concat([connected, frame(0x80, [0, 1])])],
    ['reserved flags on PUBREL', 'FLAGS_RESERVED', Buffer.concat([connected, frame(0x60, [0, 1])])],
    ['reserved flags on PINGREQ', 'FLAGS_RESERVED', Buffer.concat([connected, frame(0xc1, [])])],
    ['a remaining length of five bytes', 'LENGTH_MALFORMED', Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 0x01])],
    ['CONNECT larger than allowed', 'PACKET_TOO_LARGE', frame(0x10, Buffer.alloc(8193))],
    ['CONNECT that announces 256 MiB', 'PACKET_TOO_LARGE', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])],
    [
      'PUBLISH larger than allowed',
      'PACKET_TOO_LARGE',
      Buffer.concat([connected, Buffer.from([0x30]), remainingLength(256 * 1024 + 1)]),
    ],
    [
      'SUBSCRIBE larger than allowed',
      'PACKET_TOO_LARGE',
      Buffer.concat([connected, Buffer.from([0x82]), remainingLength(16 * 1024 + 1)]),
    ],
    ['PUBACK with a body of three bytes', 'PACKET_TOO_LARGE', Buffer.concat([connected, frame(0x40, [0, 1, 0])])],
    ['PUBACK without a body', 'PACKET_MALFORMED', Buffer.concat([connected, frame(0x40, [])])],
    ['PINGREQ with a body', 'PACKET_TOO_LARGE', Buffer.concat([connected, frame(0xc0, [0])])],
    ['PUBACK for packet 0', 'PACKET_ID_ZERO', Buffer.concat([connected, pubackPacket(0)])],
    ['QoS 3', 'QOS_INVALID', Buffer.concat([connected, publishPacket({ qos: 3 })])],
    ['DUP on QoS 0', 'DUP_WITHOUT_QOS', Buffer.concat([connected, publishPacket({ dup: true })])],
    ['packet id 0 on QoS 1', 'PACKET_ID_ZERO', Buffer.concat([connected, publishPacket({ qos: 1, id: 0 })])],
    ['packet id 0 on QoS 2', 'PACKET_ID_ZERO', Buffer.concat([connected, publishPacket({ qos: 2, id: 0 })])],
    ['an empty topic', 'TOPIC_EMPTY', Buffer.concat([connected, publishPacket({ topic: '' })])],
    ['a topic with #', 'TOPIC_WILDCARD', Buffer.concat([connected, publishPacket({ topic: 'a/#' })])],
    ['a topic with +', 'TOPIC_WILDCARD', Buffer.concat([connected, publishPacket({ topic: 'a/+/b' })])],
    ['a topic with NUL', 'TOPIC_NUL', Buffer.concat([connected, publishPacket({ topic: 'a\0b' })])],
    ['a topic that is not UTF-8', 'TOPIC_NOT_UTF8', Buffer.concat([connected, publishPacket({ topic: invalidUtf8 })])],
    [
      'a topic with a surrogate',
      'TOPIC_NOT_UTF8',
      Buffer.concat([connected, publishPacket({ topic: Buffer.from([0xed, 0xa0, 0x80]) })]),
    ],
    [
      'a topic of 1,025 bytes',
      'TOPIC_TOO_LONG',
      Buffer.concat([connected, publishPacket({ topic: 'x'.repeat(1025) })]),
    ],
    ['a topic of 33 levels', 'TOPIC_TOO_DEEP', Buffer.concat([connected, publishPacket({ topic: '/'.repeat(32) })])],
    ['a topic that runs out of the packet', 'PACKET_MALFORMED', Buffer.concat([connected, frame(0x30, [0, 9, 0x61])])],
    [
      'PUBLISH without room for a packet id',
      'PACKET_MALFORMED',
      Buffer.concat([connected, frame(0x32, [...text('ab'), 1])]),
    ],
    ['SUBSCRIBE without filters', 'PACKET_MALFORMED', Buffer.concat([connected, subscribePacket([])])],
    ['SUBSCRIBE with packet id 0', 'PACKET_ID_ZERO', Buffer.concat([connected, subscribePacket(['a'], 0, 0)])],
    [
      '101 filters',
      'TOO_MANY_FILTERS',
      Buffer.concat([connected, subscribePacket(Array.from({ length: 101 }, (_, i) => `f/${i}`))]),
    ],
    [
      '101 filters to unsubscribe',
      'TOO_MANY_FILTERS',
      Buffer.concat([connected, unsubscribePacket(Array.from({ length: 101 }, (_, i) => `f/${i}`))]),
    ],
    ['an empty filter', 'FILTER_EMPTY', Buffer.concat([connected, subscribePacket(['', 'a'])])],
    ['# not at the end', 'FILTER_WILDCARD', Buffer.concat([connected, subscribePacket(['a/#/b'])])],
    ['# inside a level', 'FILTER_WILDCARD', Buffer.concat([connected, subscribePacket(['a/b#'])])],
    ['+ inside a level', 'FILTER_WILDCARD', Buffer.concat([connected, unsubscribePacket(['a/b+/c'])])],
    ['a filter with NUL', 'FILTER_NUL', Buffer.concat([connected, subscribePacket(['a\0'])])],
    ['a filter that is not UTF-8', 'FILTER_NOT_UTF8', Buffer.concat([connected, subscribePacket([invalidUtf8])])],
    ['a filter that is too long', 'FILTER_TOO_LONG', Buffer.concat([connected, subscribePacket(['x'.repeat(1025)])])],
    ['a filter that is too deep', 'FILTER_TOO_DEEP', Buffer.concat([connected, subscribePacket(['/'.repeat(32)])])],
    ['a requested QoS of 3', 'QOS_INVALID', Buffer.concat([connected, subscribePacket(['a'], 3)])],
    ['a requested QoS with reserved bits', 'QOS_INVALID', Buffer.concat([connected, subscribePacket(['a'], 0x81)])],
    [
      'a filter that runs out of the packet',
      'PACKET_MALFORMED',
      Buffer.concat([connected, frame(0x82, [0, 1, 0, 9, 0x61, 0])]),
    ],
    ['a filter without its QoS', 'PACKET_MALFORMED', Buffer.concat([connected, frame(0x82, [0, 1, ...text('ab')])])],
    ['another protocol', 'PROTOCOL_UNSUPPORTED', connectPacket({ protocol: 'HTTP' })],
    ['MQTT 5', 'PROTOCOL_UNSUPPORTED', connectPacket({ level: 5 })],
    ['a reserved connect flag', 'CONNECT_FLAGS_INVALID', connectPacket({ flags: 0x03 })],
    ['a will QoS of 3', 'CONNECT_FLAGS_INVALID', connectPacket({ flags: 0x1e })],
    ['a will QoS without a will', 'CONNECT_FLAGS_INVALID', connectPacket({ flags: 0x0a })],
    ['a password without a user name', 'CONNECT_FLAGS_INVALID', connectPacket({ flags: 0x42 })],
    ['a client id of 257 bytes', 'CLIENT_ID_TOO_LONG', connectPacket({ clientId: 'x'.repeat(257) })],
    ['a client id with NUL', 'CLIENT_ID_NUL', connectPacket({ clientId: 'a\0' })],
    ['a client id with a line feed', 'CLIENT_ID_CONTROL_CHARACTER', connectPacket({ clientId: 'a\nb' })],
    ['a client id with U+0085', 'CLIENT_ID_CONTROL_CHARACTER', connectPacket({ clientId: 'a\u0085b' })],
    ['a client id that is not UTF-8', 'CLIENT_ID_NOT_UTF8', connectPacket({ clientId: invalidUtf8 })],
    ['an empty client id without clean session', 'CLIENT_ID_EMPTY', connectPacket({ clientId: '', clean: false })],
    [
      'an empty client id in MQTT 3.1',
      'CLIENT_ID_EMPTY',
      connectPacket({ clientId: '', protocol: 'MQIsdp', level: 3 }),
    ],
    ['a will topic with a wildcard', 'WILL_TOPIC_WILDCARD', connectPacket({ will: { topic: 'a/#', payload: '' } })],
    ['an empty will topic', 'WILL_TOPIC_EMPTY', connectPacket({ will: { topic: '', payload: '' } })],
    [
      'a will topic that is not UTF-8',
      'WILL_TOPIC_NOT_UTF8',
      connectPacket({ will: { topic: invalidUtf8, payload: '' } }),
    ],
    ['a user name that is not UTF-8', 'USERNAME_NOT_UTF8', connectPacket({ username: invalidUtf8 })],
    ['a user name with NUL', 'USERNAME_NUL', connectPacket({ username: '\0' })],
    ['CONNECT that ends before its client id', 'PACKET_MALFORMED', frame(0x10, [...text('MQTT'), 4, 2, 0, 60])],
    ['CONNECT that ends before its will', 'PACKET_MALFORMED', connectPacket({ flags: 0x06 })],
    [
      'CONNECT with bytes after its last field',
      'PACKET_MALFORMED',
      frame(0x10, Buffer.concat([connected.subarray(2), Buffer.from([0])])),
    ],
  ]

  test.each(cases)('%s: %s', (_name, code, bytes) => {
    expect(run([bytes]).code).toBe(code)
    // The same when every byte comes alone: what is judged never depends on how the bytes were cut.
    expect(run([...bytes].map((byte) => Buffer.from([byte]))).code).toBe(code)
  })

  test('refusals that the client is owed a CONNACK for say which', () => {
    const connack = (bytes: Buffer): unknown => new FrameGuard(limits).push(bytes)?.connack
    expect(connack(connectPacket({ level: 5 }))).toBe(1)
    expect(connack(connectPacket({ clientId: '', clean: false }))).toBe(2)
    expect(connack(connectPacket({ clientId: 'x'.repeat(257) }))).toBe(2)
    expect(connack(connectPacket({ clientId: invalidUtf8 }))).toBeUndefined()
  })

  test('after a violation nothing passes', () => {
    const guard = new FrameGuard(limits)
    guard.push(pingreqPacket)
    expect(guard.push(connected)?.code).toBe('FIRST_NOT_CONNECT')
    expect(guard.passed).toBeNull()
    expect(guard.state).toBe('refused')
  })

  test('an oversized packet is refused by its fixed header, before a byte of its body', () => {
    const guard = new FrameGuard(limits)
    expect(guard.push(Buffer.from([0x10, 0x81, 0x40]))?.code).toBe('PACKET_TOO_LARGE')
    expect(guard.heldBytes).toBe(0)
  })
})

describe('what may pass', () => {
  test.each([
    ['MQTT 3.1.1', connectPacket()],
    ['MQTT 3.1', connectPacket({ protocol: 'MQIsdp', level: 3 })],
    ['an empty client id with a clean session', connectPacket({ clientId: '' })],
    ['a client id in Greek', connectPacket({ clientId: 'αισθητήρας' })],
    [
      'a will, a user name and a password',
      connectPacket({ will: { topic: 'w', payload: 'x', qos: 2, retain: true }, username: 'u', password: 'p' }),
    ],
    ['a client id as long as allowed', connectPacket({ clientId: 'x'.repeat(256) })],
  ])('CONNECT: %s', (_name, bytes) => {
    expect(run([bytes])).toEqual({ passed: bytes, code: null })
  })

  test.each([
    ['a topic in UTF-8', publishPacket({ topic: 'Zürich/温度' })],
    ['a topic as long as allowed', publishPacket({ topic: 'x'.repeat(1024) })],
    ['a topic as deep as allowed', publishPacket({ topic: '/'.repeat(31) })],
    ['a topic that begins with $', publishPacket({ topic: '$SYS/broker' })],
    ['an empty payload', publishPacket({ payload: '' })],
    ['the largest payload', publishPacket({ topic: 'a', payload: Buffer.alloc(256 * 1024 - 3) })],
    ['a repeat', publishPacket({ qos: 1, dup: true, retain: true })],
    ['filters with wildcards', subscribePacket(['#', '+', '+/+/#', '/', 'a/+/b'], 2)],
    [
      '100 filters',
      subscribePacket(
        Array.from({ length: 100 }, (_, i) => `f/${i}`),
        1,
      ),
    ],
    ['unsubscribing', unsubscribePacket(['a', '+/#'])],
  ])('%s', (_name, bytes) => {
    const all = Buffer.concat([connected, bytes])
    const { passed, code } = run([all])
    expect(code).toBeNull()
    expect(passed.equals(all)).toBe(true)
  })

  test('whole frames in a chunk pass as that chunk, without a copy', () => {
    const guard = new FrameGuard(limits)
    const chunk = Buffer.concat([connected, publishPacket({ qos: 1 }), pingreqPacket])
    expect(guard.push(chunk)).toBeNull()
    expect(guard.passed).toBe(chunk)
  })

  test('a control packet passes only when it is whole, a payload as it comes', () => {
    const guard = new FrameGuard(limits)
    const publish = publishPacket({ topic: 'ab', payload: 'x'.repeat(50) })
    guard.push(connected.subarray(0, -1))
    expect(guard.passed).toBeNull()
    guard.push(Buffer.concat([connected.subarray(-1), publish.subarray(0, 3)]))
    expect(guard.passed).toEqual(connected)
    guard.push(publish.subarray(3, 20))
    expect(guard.passed).toEqual(publish.subarray(0, 20))
    guard.push(publish.subarray(20, 30))
    expect(guard.passed).toEqual(publish.subarray(20, 30))
    expect(guard.heldBytes).toBe(0)
  })

  test('what follows DISCONNECT is dropped', () => {
    const guard = new FrameGuard(limits)
    guard.push(Buffer.concat([connected, disconnectPacket, publishPacket()]))
    expect(guard.passed).toEqual(Buffer.concat([connected, disconnectPacket]))
    expect(guard.push(Buffer.from('anything'))).toBeNull()
    expect(guard.passed).toBeNull()
    expect(guard.state).toBe('ended')
  })
})

describe('any stream', () => {
  const topic = fc
    .array(fc.constantFrom('a', 'temperature', 'ü', ''), { minLength: 2, maxLength: 4 })
    .map((levels) => levels.join('/'))
  const id = fc.integer({ min: 1, max: 65_535 })
  const publish = fc
    .record({ topic, payload: fc.uint8Array({ maxLength: 400 }), qos: fc.nat(2), id, retain: fc.boolean() })
    .map((options) => publishPacket({ ...options, payload: Buffer.from(options.payload) }))
  const packet = fc.oneof(
    { weight: 4, arbitrary: publish },
    id.map(pubackPacket),
    id.map(pubrelPacket),
    fc.constant(pingreqPacket),
    fc.tuple(fc.array(topic, { minLength: 1, maxLength: 5 }), fc.nat(2), id).map((args) => subscribePacket(...args)),
    fc.tuple(fc.array(topic, { minLength: 1, maxLength: 5 }), id).map((args) => unsubscribePacket(...args)),
  )
  const valid = fc
    .array(packet, { maxLength: 20 })
    .map((packets) => Buffer.concat([connectPacket({ clientId: 'device' }), ...packets]))
  const cuts = fc.array(fc.nat(), { maxLength: 40 })

  test.prop([valid, cuts])('that is valid passes whole, however it is cut', (bytes, at) => {
    expect(run(split(bytes, at))).toEqual({ passed: bytes, code: null })
  })

  test.prop([valid, cuts, fc.nat(), fc.nat(255)])(
    'with one byte changed is judged the same, however it is cut',
    (bytes, at, where, byte) => {
      const damaged = Buffer.from(bytes)
      damaged[where % bytes.length] = byte
      const whole = run([damaged])
      const pieces = run(split(damaged, at))
      expect(pieces.code).toBe(whole.code)
      if (whole.code === null) expect(pieces.passed).toEqual(whole.passed)
      else expect(damaged.subarray(0, pieces.passed.length)).toEqual(pieces.passed)
    },
  )

  test.prop([fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })])(
    'of noise is bounded in what is held',
    (chunks) => {
      const guard = new FrameGuard(limits)
      guard.push(connected)
      for (const chunk of chunks) {
        guard.push(Buffer.from(chunk))
        expect(guard.heldBytes).toBeLessThanOrEqual(limits.maxSubscribeBytes + 5)
      }
    },
  )

  test.prop([
    fc.array(
      fc.record({
        topic: topic.filter((name) => name !== ''),
        qos: fc.nat(2),
        id,
        dup: fc.boolean(),
        retain: fc.boolean(),
        size: fc.nat(200),
        wanted: fc.boolean(),
      }),
      { maxLength: 10 },
    ),
    cuts,
  ])('shows its sink where each PUBLISH lies, and passes what the sink does not take', (publishes, at) => {
    const seen: unknown[] = []
    let turn = 0
    let chunksTaken = 0
    const sink: FrameSink = {
      takes: (qos, retain) => {
        expect([qos, retain]).toEqual([publishes[turn]?.qos, publishes[turn]?.retain])
        return publishes[turn]?.wanted ?? false
      },
      onTaken: ({ data, topic: name, packetId, payloadStart, end, qos, dup }) => {
        const payload = Buffer.from(data.subarray(payloadStart, end))
        seen.push({ topic: name, id: packetId, qos, dup, payload })
        turn++
      },
      onLeft: () => {
        turn++
      },
      onChunk: () => {
        chunksTaken++
      },
    }
    const guard = new FrameGuard(limits, sink)
    const packets = publishes.map((each, n) => {
      const dup = each.dup && each.qos > 0
      const payload = Buffer.alloc(each.size, n)
      const { topic: name, qos, wanted } = each
      return {
        wanted,
        bytes: publishPacket({ ...each, dup, payload }),
        seen: { topic: name, id: qos === 0 ? 0 : each.id, qos, dup, payload },
      }
    })
    const stream = Buffer.concat([connected, ...packets.map(({ bytes }) => bytes), pingreqPacket])
    const passed: Buffer[] = []
    for (const chunk of split(stream, at)) {
      expect(guard.push(Buffer.from(chunk))).toBeNull()
      if (guard.passed !== null) passed.push(Buffer.from(guard.passed))
    }
    const taken = packets.filter(({ wanted }) => wanted)
    const left = packets.filter(({ wanted }) => !wanted).map(({ bytes }) => bytes)
    expect(seen).toEqual(taken.map((packet) => packet.seen))
    expect(Buffer.concat(passed)).toEqual(Buffer.concat([connected, ...left, pingreqPacket]))
    expect(guard.heldBytes).toBe(0)
    expect(chunksTaken > 0).toBe(taken.length > 0)
    expect(chunksTaken).toBeLessThanOrEqual(taken.length)
  })
})

test('a PUBLISH that its sink will take is refused for its header before its payload has come, and held within its size', () => {
  const sink: FrameSink = {
    takes: () => true,
    onTaken: () => undefined,
    onLeft: () => undefined,
    onChunk: () => undefined,
  }
  const guard = new FrameGuard(limits, sink)
  guard.push(connected)
  const large = publishPacket({ payload: Buffer.alloc(200_000) })
  expect(guard.push(large.subarray(0, 150_000))).toBeNull()
  expect(guard.heldBytes).toBe(150_000)
  guard.push(large.subarray(150_000))
  expect(guard.heldBytes).toBe(0)
  expect(guard.passed).toBeNull()
  expect(guard.push(publishPacket({ topic: 'a/#', payload: Buffer.alloc(1000) }).subarray(0, 30))?.code).toBe(
    'TOPIC_WILDCARD',
  )
})

test('a slow sender of a large packet costs what it sent, not what it announced', () => {
  const guard = new FrameGuard(limits)
  const packet = connectPacket({ will: { topic: 'w', payload: 'x'.repeat(8000) } })
  const before = process.memoryUsage().arrayBuffers
  const guards = Array.from({ length: 1000 }, () => new FrameGuard(limits))
  for (const each of guards) each.push(packet.subarray(0, 20))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  for (const byte of packet) expect(guard.push(Buffer.from([byte]))).toBeNull()
  expect(guard.passed).toEqual(packet)
  expect(guards.every((each) => each.heldBytes === 20)).toBe(true)
})
