import { fc, test } from '@fast-check/vitest'
import { type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { describe, expect } from 'vitest'
import { KnownTexts } from '../../../../../gateway/ingest/known-texts.ts'
import { defaultMqttLimits } from '../../../../../gateway/ingest/mqtt/settings.ts'
import { type Connect, libraryConnect, readConnect } from '../../../../../gateway/ingest/mqtt/v5/connect.ts'
import {
  readAnswer,
  readDisconnect,
  readSubscribe,
  readUnsubscribe,
} from '../../../../../gateway/ingest/mqtt/v5/control.ts'
import { Cursor } from '../../../../../gateway/ingest/mqtt/v5/cursor.ts'
import { FrameReader } from '../../../../../gateway/ingest/mqtt/v5/frame-reader.ts'
import { answer, connack, disconnect, publish, subscribed } from '../../../../../gateway/ingest/mqtt/v5/packets.ts'
import { type Carrier, type Properties, readProperties } from '../../../../../gateway/ingest/mqtt/v5/properties.ts'
import { readPublish } from '../../../../../gateway/ingest/mqtt/v5/publish.ts'
import { TopicAliases } from '../../../../../gateway/ingest/mqtt/v5/topic-aliases.ts'
import { Writer } from '../../../../../gateway/ingest/mqtt/v5/writer.ts'
import { bytesOf, connect } from './support.ts'

const parts = () => ({ topics: new KnownTexts(16), aliases: new TopicAliases(10), limits: defaultMqttLimits })

/** The one frame that `bytes` hold. */
function frameOf(bytes: Buffer) {
  const reader = new FrameReader(() => 1e6)
  reader.feed(bytes)
  const frame = reader.next()
  if (frame === null || 'code' in frame) throw new Error('expected a frame')
  const { type, flags, data, start, end } = frame
  expect(reader.next()).toBeNull()
  return { type, flags, data, start, end }
}

/** Read by the codec that is not ours. */
function parsed(bytes: Buffer): Packet {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: 5 })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => {
    throw error
  })
  reader.parse(bytes)
  const [packet] = packets
  if (packet === undefined) throw new Error('expected a packet')
  return packet
}

const text = fc
  .string({ unit: 'binary', maxLength: 20 })
  .filter((value) => !value.includes('\0') && Buffer.from(value).toString() === value)
const name = text.filter((value) => value !== '__proto__')
const binary = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })
const topic = fc.stringMatching(/^[a-zé]{1,5}(\/[a-z0-9]{0,5}){0,3}$/)
/** The other codec writes nothing for no properties, and loses repeats of empty ones. */
const some = text.filter((value) => value !== '')
const userProperties = fc.dictionary(name, fc.oneof(some, fc.array(some, { minLength: 2, maxLength: 3 })), {
  minKeys: 1,
  maxKeys: 4,
})
const message = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: uint32,
    contentType: text,
    responseTopic: topic,
    correlationData: binary,
    userProperties,
  },
  { requiredKeys: [] },
)

/** What we call the properties that the other codec has. */
function ours(properties: IPublishPacket['properties'] = {}): Properties {
  const { payloadFormatIndicator, messageExpiryInterval, userProperties: user, ...rest } = properties
  const pairs = Object.entries(user ?? {}).flatMap(([key, values]) =>
    [values].flat().map((value) => [key, value] as const),
  )
  return {
    ...(rest as Properties),
    ...(payloadFormatIndicator !== undefined && { payloadFormat: payloadFormatIndicator ? 1 : 0 }),
    ...(messageExpiryInterval !== undefined && { messageExpiry: messageExpiryInterval }),
    ...(pairs.length > 0 && { user: pairs }),
  }
}

describe('what the other codec writes, ours reads', () => {
  test.prop([topic, binary, fc.constantFrom(0, 1, 2), fc.boolean(), fc.integer({ min: 1, max: 65_535 }), message])(
    'PUBLISH',
    (name, payload, qos, retain, messageId, properties) => {
      const packet = {
        cmd: 'publish' as const,
        topic: name,
        payload,
        qos: qos as 0 | 1 | 2,
        dup: false,
        retain,
        properties,
      }
      const { data, start, end, flags } = frameOf(bytesOf(qos === 0 ? packet : { ...packet, messageId }))
      expect(readPublish(data, start, end, flags, parts())).toEqual({
        topic: name,
        payload,
        qos,
        retain,
        dup: false,
        packetId: qos === 0 ? 0 : messageId,
        properties: ours(properties),
        size: end - start,
      })
    },
  )

  test.prop([
    fc.stringMatching(/^[a-z0-9]{1,20}$/),
    fc.boolean(),
    fc.integer({ min: 0, max: 65_535 }),
    fc.option(text.filter((value) => value !== '')),
    fc.option(binary.filter(({ length }) => length > 0)),
    fc.option(
      fc.record({ topic, payload: binary, qos: fc.constantFrom(0, 1, 2), retain: fc.boolean(), properties: message }),
    ),
  ])('CONNECT', (clientId, clean, keepalive, username, password, will) => {
    const bytes = bytesOf(
      connect({
        clientId,
        clean,
        keepalive,
        ...(username !== null && { username }),
        // The other codec does not know that MQTT 5 has passwords without user names.
        ...(username !== null && password !== null && { password }),
        ...(will !== null && { will: will as never }),
        properties: { sessionExpiryInterval: 7, receiveMaximum: 3, requestProblemInformation: false },
      }),
    )
    const { data, start, end } = frameOf(bytes)
    const read = readConnect(data, start, end, defaultMqttLimits)
    expect(read).toEqual({
      clientId,
      cleanStart: clean,
      keepAlive: keepalive,
      username,
      password: username === null ? null : password,
      will: will === null ? null : { ...will, properties: ours(will.properties) },
      properties: { sessionExpiry: 7, receiveMaximum: 3, requestProblem: 0 },
    })
    const old = parser().on('error', (error) => {
      throw error
    })
    old.on('packet', (packet) =>
      expect(packet).toMatchObject({ cmd: 'connect', protocolVersion: 4, clientId: 'me', clean: false, keepalive: 9 }),
    )
    old.parse(libraryConnect('me', 9, read as Connect))
  })

  test.prop([
    fc.array(
      fc.record({
        topic,
        qos: fc.constantFrom(0, 1, 2),
        nl: fc.boolean(),
        rap: fc.boolean(),
        rh: fc.constantFrom(0, 1, 2),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    fc.option(fc.integer({ min: 1, max: 268_435_455 })),
  ])('SUBSCRIBE and UNSUBSCRIBE', (subscriptions, id) => {
    const properties = id === null ? {} : { subscriptionIdentifier: id }
    const subscribe = frameOf(
      bytesOf({ cmd: 'subscribe', messageId: 9, subscriptions: subscriptions as never, properties }),
    )
    expect(readSubscribe(subscribe.data, subscribe.start, subscribe.end, defaultMqttLimits)).toEqual({
      packetId: 9,
      subscriptions: subscriptions.map(({ topic: filter, qos, nl, rap, rh }) => ({
        filter,
        options: { qos, noLocal: nl, retainAsPublished: rap, retainHandling: rh, id },
      })),
    })
    const filters = subscriptions.map(({ topic: filter }) => filter)
    const unsubscribe = frameOf(bytesOf({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: filters }))
    expect(readUnsubscribe(unsubscribe.data, unsubscribe.start, unsubscribe.end, defaultMqttLimits)).toEqual({
      packetId: 9,
      filters,
    })
  })

  test('acknowledgements and DISCONNECT', () => {
    for (const packet of [
      { cmd: 'puback', messageId: 5 },
      { cmd: 'pubrec', messageId: 5, reasonCode: 0x97, properties: { reasonString: 'no' } },
      { cmd: 'pubrel', messageId: 5, reasonCode: 0x92 },
      { cmd: 'pubcomp', messageId: 5, properties: { userProperties: { a: 'b' } } },
    ] as const) {
      const { data, start, end } = frameOf(bytesOf(packet))
      expect(readAnswer(data, start, end)).toEqual({
        packetId: 5,
        reason: 'reasonCode' in packet ? packet.reasonCode : 0,
      })
    }
    const { data, start, end } = frameOf(
      bytesOf({ cmd: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 8 } }),
    )
    expect(readDisconnect(data, start, end)).toEqual({ reason: 4, properties: { sessionExpiry: 8 } })
  })
})

describe('what ours writes, the other codec reads', () => {
  test.prop([
    topic,
    binary,
    fc.constantFrom(0, 1, 2),
    fc.boolean(),
    fc.boolean(),
    message,
    fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
  ])('PUBLISH', (name, payload, qos, retain, again, properties, ids) => {
    const dup = qos > 0 && again
    const bytes = publish({
      topic: name,
      payload,
      qos: qos as 0 | 1 | 2,
      retain,
      dup,
      packetId: 77,
      properties: { ...ours(properties), subscriptionIds: ids },
    })
    const read = parsed(bytes) as IPublishPacket
    expect(read).toMatchObject({ cmd: 'publish', topic: name, payload, qos, retain, dup })
    const { subscriptionIdentifier, ...rest } = read.properties ?? {}
    expect([subscriptionIdentifier ?? []].flat()).toEqual(ids)
    expect(ours(rest)).toEqual(ours(properties))
  })

  test.prop([text, uint32])('everything else', (words, number) => {
    const welcome: Properties = {
      sessionExpiry: number,
      receiveMaximum: 9,
      topicAliasMaximum: 3,
      maxPacketSize: 1000,
      assignedClientId: words,
      serverKeepAlive: 60,
      retainAvailable: 1,
      wildcardAvailable: 1,
      subscriptionIdAvailable: 1,
      sharedAvailable: 0,
      reasonString: words,
      serverReference: 'a:1883',
    }
    expect(parsed(connack(0, true, welcome))).toMatchObject({
      sessionPresent: true,
      reasonCode: 0,
      properties: {
        sessionExpiryInterval: number,
        receiveMaximum: 9,
        topicAliasMaximum: 3,
        maximumPacketSize: 1000,
        assignedClientIdentifier: words,
        serverKeepAlive: 60,
        retainAvailable: true,
        wildcardSubscriptionAvailable: true,
        subscriptionIdentifiersAvailable: true,
        sharedSubscriptionAvailable: false,
        reasonString: words,
        serverReference: 'a:1883',
      },
    })
    expect(parsed(disconnect(0x9c, { serverReference: words }))).toMatchObject({
      reasonCode: 0x9c,
      properties: { serverReference: words },
    })
    for (const kind of ['puback', 'pubrec'] as const) {
      expect(parsed(answer(kind, 300))).toMatchObject({ cmd: kind, messageId: 300, reasonCode: 0 })
      expect(parsed(answer(kind, 300, 0x10))).toMatchObject({ cmd: kind, messageId: 300, reasonCode: 0x10 })
      expect(parsed(answer(kind, 300, 0x99, words))).toMatchObject({
        reasonCode: 0x99,
        properties: { reasonString: words },
      })
    }
    expect(parsed(subscribed('suback', 4, [0, 1, 0x87]))).toMatchObject({ messageId: 4, granted: [0, 1, 0x87] })
    expect(parsed(subscribed('unsuback', 4, [0, 0x11]))).toMatchObject({ messageId: 4, granted: [0, 0x11] })
  })
})

const carriers: Carrier[] = ['connect', 'will', 'publish', 'ack', 'subscribe', 'unsubscribe', 'disconnect', 'auth']

describe('any bytes', () => {
  test.prop([fc.uint8Array({ maxLength: 80 }), fc.constantFrom(...carriers)], { numRuns: 2_000 })(
    'as properties are read, or refused with a reason',
    (bytes, carrier) => {
      const data = Buffer.from(bytes)
      const cursor = new Cursor(data, 0, data.length)
      const found = readProperties(cursor, carrier)
      if ('code' in found) expect(['PROTOCOL_ERROR', 'PACKET_MALFORMED']).toContain(found.code)
      expect(cursor.at).toBeLessThanOrEqual(data.length)
    },
  )

  test.prop([fc.uint8Array({ maxLength: 60 }), fc.nat(15)], { numRuns: 2_000 })(
    'as the body of any packet are read, or refused',
    (bytes, flags) => {
      const data = Buffer.from(bytes)
      const limits = defaultMqttLimits
      const results = [
        readPublish(data, 0, data.length, flags, parts()),
        readSubscribe(data, 0, data.length, limits),
        readUnsubscribe(data, 0, data.length, limits),
        readAnswer(data, 0, data.length),
        readDisconnect(data, 0, data.length),
        readConnect(Buffer.concat([Buffer.from([0, 4, 77, 81, 84, 84, 5]), data]), 0, data.length + 7, limits),
      ]
      for (const result of results) expect(result).toBeTypeOf('object')
    },
  )

  test.prop([fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 })])(
    'cut anywhere are the same packets',
    (bodies, at) => {
      const writer = new Writer()
      for (const [n, body] of bodies.entries()) {
        writer.byte((n + 1) << 4)
        writer.varint(body.length)
        writer.raw(body)
      }
      const stream = Buffer.from(writer.bytes())
      const ends = [...new Set(at.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b)
      const reader = new FrameReader(() => 1_000)
      const seen: Array<[number, Buffer]> = []
      for (const [n, end] of [...ends, stream.length].entries()) {
        reader.feed(stream.subarray(ends[n - 1] ?? 0, end))
        for (let frame = reader.next(); frame !== null; frame = reader.next()) {
          if ('code' in frame) throw new Error(frame.message)
          seen.push([frame.type, Buffer.from(frame.data.subarray(frame.start, frame.end))])
        }
      }
      expect(seen).toEqual(bodies.map((body, n) => [n + 1, Buffer.from(body)]))
      expect(reader.heldBytes).toBe(0)
    },
  )
})
