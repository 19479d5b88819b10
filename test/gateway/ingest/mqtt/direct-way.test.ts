import { fc, test } from '@fast-check/vitest'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { type Broker, createBroker } from '../../../../gateway/ingest/mqtt/broker.ts'
import type { GuardedSocket } from '../../../../gateway/ingest/mqtt/guarded-socket.ts'
import { defaultMqttLimits, type MqttLimits } from '../../../../gateway/ingest/mqtt/settings.ts'
import { systemClock } from '../../../../sync/runtime/index.ts'
import { FakeAcceptor, storeFull } from './support/fake-acceptor.ts'
import {
  type ConnectOptions,
  connectPacket,
  disconnectPacket,
  pingreqPacket,
  publishPacket,
  readPackets,
  subscribePacket,
} from './support/packets.ts'
import { Peer, turn } from './support/peer.ts'
import { PATIENCE } from './support/raw-client.ts'
import { lendingWire } from './support/wire.ts'

const PUBLISH = 3
const PUBACK = 4
const PUBREC = 5
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

class Device {
  readonly peer = new Peer()
  readonly connection: GuardedSocket
  /** Bytes that went the library's way. */
  libraryBytes = 0

  constructor(broker: Broker) {
    this.connection = broker.attach(lendingWire(this.peer), 'peer')
    const push = this.connection.push.bind(this.connection)
    this.connection.push = (chunk: Buffer | null) => {
      this.libraryBytes += chunk?.length ?? 0
      return push(chunk)
    }
  }

  packets(type: number) {
    return readPackets(Buffer.concat(this.peer.written)).filter((packet) => packet.type === type)
  }

  ids(type: number): number[] {
    return this.packets(type).map(({ body }) => body.readUInt16BE(0))
  }
}

async function setUp(limits: Partial<MqttLimits> = {}) {
  const acceptor = new FakeAcceptor()
  const counts: Record<string, number> = {}
  const counters = {
    increment: (name: string, by = 1): void => {
      counts[name] = (counts[name] ?? 0) + by
    },
  }
  const broker = await createBroker({
    acceptor,
    limits: { ...defaultMqttLimits, ...limits },
    clock: systemClock,
    log,
    counters,
    access: {},
  })
  const connect = async (options: ConnectOptions = {}): Promise<Device> => {
    const device = new Device(broker)
    device.peer.push(connectPacket(options))
    await vi.waitFor(() => expect(device.packets(2)).toHaveLength(1), PATIENCE)
    await turn()
    device.libraryBytes = 0
    return device
  }
  return { acceptor, broker, counts, connect, close: () => broker.close(50) }
}

async function start(limits: Partial<MqttLimits> = {}) {
  const parts = await setUp(limits)
  onTestFinished(async () => {
    parts.acceptor.auto = true
    parts.acceptor.answerAll()
    await parts.close()
  })
  return parts
}

describe('which way', () => {
  test('QoS 0 and 1 without RETAIN go past the library; everything else does not', async () => {
    const { acceptor, connect } = await start()
    const device = await connect()
    device.peer.push(
      Buffer.concat([
        publishPacket({ qos: 1, id: 1, payload: 'a' }),
        publishPacket({ payload: 'b' }),
        publishPacket({ qos: 1, id: 2, dup: true, payload: 'c' }),
      ]),
    )
    await vi.waitFor(() => expect(device.ids(PUBACK)).toEqual([1, 2]), PATIENCE)
    expect(device.libraryBytes).toBe(0)
    const rest = [
      publishPacket({ qos: 1, id: 3, retain: true, payload: 'd' }),
      publishPacket({ retain: true, payload: 'e' }),
      publishPacket({ qos: 2, id: 4, payload: 'f' }),
    ]
    device.peer.push(Buffer.concat(rest))
    await vi.waitFor(() => expect(device.ids(PUBREC)).toEqual([4]), PATIENCE)
    expect(device.libraryBytes).toBe(Buffer.concat(rest).length)
    expect(acceptor.texts()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(acceptor.received.map(({ dup }) => dup)).toEqual([false, false, true, false, false, false])
  })

  test('what follows a publish on the library’s way follows it there, and returns to the direct way behind it', async () => {
    const { acceptor, connect } = await start()
    acceptor.auto = false
    const device = await connect()
    for (const [n, first] of [
      publishPacket({ qos: 1, id: 1, retain: true }),
      publishPacket({ qos: 2, id: 1 }),
      // A repeat: it is answered, but not handed on.
      publishPacket({ qos: 2, id: 1, dup: true }),
      publishPacket({ retain: true }),
      publishPacket({ qos: 1, id: 1, topic: '$SYS/x', retain: true }),
    ].entries()) {
      const behind = publishPacket({ qos: 1, id: 2 })
      device.libraryBytes = 0
      device.peer.push(Buffer.concat([first, behind]))
      await turn()
      expect(device.libraryBytes, `${n}`).toBe(first.length + behind.length)
      const before = device.ids(PUBACK).filter((id) => id === 2).length
      await vi.waitFor(() => {
        acceptor.answerAll()
        expect(device.ids(PUBACK).filter((id) => id === 2)).toHaveLength(before + 1)
      }, PATIENCE)
      await turn()
      await turn()
      device.libraryBytes = 0
      device.peer.push(publishPacket({ qos: 1, id: 3 }))
      await vi.waitFor(() => {
        acceptor.answerAll()
        expect(device.ids(PUBACK).filter((id) => id === 3)).toHaveLength(n + 1)
      }, PATIENCE)
      expect(device.libraryBytes, `${n}`).toBe(0)
    }
  })

  test('a stream may be cut at any byte', async () => {
    const { acceptor, connect } = await start()
    const stream = Buffer.concat([
      publishPacket({ qos: 1, id: 1, topic: 'sensors/ä/t', payload: 'x'.repeat(150) }),
      publishPacket({ payload: '' }),
      pingreqPacket,
      publishPacket({ qos: 1, id: 2, payload: 'b' }),
      publishPacket({ qos: 1, id: 3, retain: true, payload: 'c' }),
      publishPacket({ qos: 1, id: 4, payload: 'd' }),
    ])
    const texts = ['x'.repeat(150), '', 'b', 'c', 'd']
    for (let cut = 0; cut <= stream.length; cut++) {
      acceptor.received.length = 0
      const device = await connect({ clientId: `d${cut}` })
      if (cut === stream.length) {
        for (const byte of stream) {
          device.peer.push(Buffer.from([byte]))
          await turn()
        }
      } else {
        device.peer.push(stream.subarray(0, cut))
        await turn()
        device.peer.push(stream.subarray(cut))
      }
      await vi.waitFor(() => expect(device.ids(PUBACK)).toEqual([1, 2, 3, 4]), PATIENCE)
      await vi.waitFor(() => expect(device.packets(13)).toHaveLength(1), PATIENCE)
      expect(acceptor.texts()).toEqual(texts)
      device.peer.push(disconnectPacket)
    }
  })
})

const item = fc.record({
  qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
  retain: fc.boolean(),
  topic: fc.constantFrom('a', 'b', '$SYS/x'),
  ping: fc.boolean(),
  /** After this packet: what the acceptor answers, and whether the event loop turns. */
  answers: fc.nat(3),
  turns: fc.nat(3),
})
const cuts = fc.array(fc.nat(), { maxLength: 12 })

test.prop([fc.array(item, { maxLength: 25 }), cuts, fc.array(fc.nat(4), { minLength: 1, maxLength: 20 })], {
  numRuns: 60,
})(
  'publishes of all kinds keep their order, at the acceptor, in the answers, and at subscribers, whenever the answers come',
  async (items, at, pace) => {
    const { acceptor, connect, close } = await setUp()
    acceptor.auto = false
    const subscriber = await connect({ clientId: 'subscriber' })
    subscriber.peer.push(subscribePacket(['#'], 2))
    await vi.waitFor(() => expect(subscriber.packets(9)).toHaveLength(1), PATIENCE)
    const device = await connect({ clientId: 'device' })

    const bytes = Buffer.concat(
      items.flatMap(({ ping, ...publish }, n) => [
        publishPacket({ ...publish, id: n + 1, payload: `${n}` }),
        ...(ping ? [pingreqPacket] : []),
      ]),
    )
    const ends = [...new Set(at.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
    const chunks = [...ends, bytes.length].map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end))
    const answer = (many: number): void => {
      for (const received of acceptor.received.filter(({ answered }) => !answered).slice(0, many)) received.done()
    }
    for (const [n, chunk] of chunks.entries()) {
      if (chunk.length > 0) device.peer.push(chunk)
      for (let turns = pace[n % pace.length] ?? 0; turns > 0; turns--) await turn()
      answer(items[n]?.answers ?? 1)
    }
    const numbered = items.map((each, n) => ({ ...each, n }))
    const kept = numbered.filter(({ topic }) => topic !== '$SYS/x')
    const idsOf = (qos: number) => numbered.filter((each) => each.qos === qos).map(({ n }) => n + 1)
    await vi.waitFor(() => {
      answer(2)
      expect(device.ids(PUBACK)).toHaveLength(idsOf(1).length)
      expect(device.ids(PUBREC)).toHaveLength(idsOf(2).length)
      expect(subscriber.packets(PUBLISH)).toHaveLength(kept.length)
    }, PATIENCE)
    expect(acceptor.texts()).toEqual(kept.map(({ n }) => `${n}`))
    expect(device.ids(PUBACK)).toEqual(idsOf(1))
    expect(device.ids(PUBREC)).toEqual(idsOf(2))
    const seen = subscriber.packets(PUBLISH).map(({ flags, body }) => {
      const end = 2 + body.readUInt16BE(0)
      const qos = (flags >> 1) & 3
      return { topic: body.toString('utf8', 2, end), qos, n: Number(body.toString('utf8', end + (qos > 0 ? 2 : 0))) }
    })
    for (const topic of ['a', 'b'])
      for (const qos of [0, 1, 2]) {
        const order = (list: ReadonlyArray<{ topic: string; qos: number; n: number }>) =>
          list.filter((each) => each.topic === topic && each.qos === qos).map(({ n }) => n)
        expect(order(seen)).toEqual(order(kept))
      }
    await close()
  },
)

describe('on the direct way', () => {
  test('one commit’s acknowledgements are one write for each client', async () => {
    const { acceptor, connect } = await start()
    acceptor.auto = false
    const devices = [await connect({ clientId: 'a' }), await connect({ clientId: 'b' })]
    const ids = Array.from({ length: 100 }, (_, n) => n + 1)
    for (const { peer } of devices) {
      peer.written.length = 0
      peer.push(Buffer.concat(ids.map((id) => publishPacket({ qos: 1, id }))))
    }
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(200), PATIENCE)
    acceptor.answerAll()
    await turn()
    for (const device of devices) {
      expect(device.peer.written).toHaveLength(1)
      expect(device.ids(PUBACK)).toEqual(ids)
    }
  })

  test('a publish that is refused ends the connection: it and what follows get no acknowledgement', async () => {
    const { acceptor, connect, counts } = await start()
    acceptor.auto = false
    const device = await connect({ will: { topic: 'w', payload: 'will' } })
    device.peer.push(Buffer.concat([1, 2, 3].map((id) => publishPacket({ qos: 1, id }))))
    await turn()
    const [first, second, third] = acceptor.received
    first?.done()
    await turn()
    second?.done(storeFull())
    third?.done()
    await vi.waitFor(() => expect(device.peer.destroyed).toBe(true), PATIENCE)
    await turn()
    expect(device.ids(PUBACK)).toEqual([1])
    await vi.waitFor(() => expect(acceptor.texts().at(-1)).toBe('will'), PATIENCE)
    expect(counts).toMatchObject({ 'publishes.refused': 1, 'clients.failed': 1 })
  })

  test('nothing more of a chunk is taken when one of it is refused at once', async () => {
    const { acceptor, connect } = await start()
    const device = await connect()
    vi.spyOn(acceptor, 'accept').mockImplementation((publish, done) => {
      acceptor.received.push({ ...publish, text: publish.payload.toString(), answered: true, done: () => undefined })
      done(publish.payload.toString() === 'b' ? storeFull() : null)
    })
    device.peer.push(Buffer.concat(['a', 'b', 'c'].map((payload) => publishPacket({ payload }))))
    await vi.waitFor(() => expect(device.peer.destroyed).toBe(true), PATIENCE)
    await turn()
    expect(acceptor.texts()).toEqual(['a', 'b'])
  })

  test('an id taken over in mid-flight: the old connection is taken no more from, and its late answers harm nobody', async () => {
    const { acceptor, connect, counts } = await start()
    acceptor.auto = false
    const old = await connect({ clientId: 'd' })
    old.peer.push(publishPacket({ qos: 1, id: 1, payload: 'old' }))
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(1), PATIENCE)
    const young = await connect({ clientId: 'd' })
    old.peer.push(publishPacket({ qos: 1, id: 2, payload: 'late' }))
    young.peer.push(publishPacket({ qos: 1, id: 9, payload: 'young' }))
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(2), PATIENCE)
    acceptor.answerAll()
    await vi.waitFor(() => expect(young.ids(PUBACK)).toEqual([9]), PATIENCE)
    expect(acceptor.texts()).toEqual(['old', 'young'])
    expect(old.ids(PUBACK)).toEqual([])
    expect(counts['clients.takenOver']).toBe(1)
  })

  test('a socket that dies between a publish and its answer takes nobody along', async () => {
    const { acceptor, connect } = await start()
    acceptor.auto = false
    for (let steps = 0; steps < 6; steps++) {
      const device = await connect({ clientId: `d${steps}` })
      device.peer.push(Buffer.concat([1, 2].map((id) => publishPacket({ qos: 1, id }))))
      await vi.waitFor(() => expect(acceptor.received).toHaveLength(2 * steps + 2), PATIENCE)
      device.peer.destroy(steps % 2 === 0 ? new Error('reset') : undefined)
      for (let n = 0; n < steps; n++) await new Promise<void>((resolve) => process.nextTick(resolve))
      acceptor.answerAll()
      await turn()
      expect(device.connection.destroyed).toBe(true)
    }
  })

  test('a client that reads no acknowledgements is not read for long, and is cut', async () => {
    const { acceptor, connect, counts } = await start({ drainTimeout: 200 })
    const device = await connect()
    device.peer.taking = false
    const chunk = Buffer.concat(Array.from({ length: 1000 }, (_, n) => publishPacket({ qos: 1, id: n + 1 })))
    let sent = 0
    while (!device.peer.isPaused() || device.peer.readableLength < 3 * chunk.length) {
      device.peer.push(chunk)
      sent += 1000
      await turn()
      expect(sent).toBeLessThan(100_000)
    }
    expect(acceptor.received.length).toBeLessThan(sent)
    await vi.waitFor(() => expect(device.peer.destroyed).toBe(true), PATIENCE)
    expect(counts['clients.failed']).toBe(1)
  })

  test('close answers what is under way', async () => {
    const { acceptor, connect, broker } = await start()
    acceptor.auto = false
    const device = await connect()
    device.peer.push(Buffer.concat([1, 2, 3].map((id) => publishPacket({ qos: 1, id }))))
    await vi.waitFor(() => expect(acceptor.received).toHaveLength(3), PATIENCE)
    const closing = broker.close(5_000)
    acceptor.answerAll()
    await vi.waitFor(() => expect(device.peer.writableFinished).toBe(true), PATIENCE)
    expect(device.ids(PUBACK)).toEqual([1, 2, 3])
    device.peer.push(null)
    await closing
  })
})

describe('plain publishes of a client', () => {
  test('are answered in one write, in their order, when the acceptor is done with all of them', async () => {
    const { acceptor, connect } = await start()
    acceptor.plain = 'together'
    acceptor.auto = false
    const device = await connect()
    device.peer.push(Buffer.concat([1, 2, 3].map((id) => publishPacket({ qos: 1, id, payload: `${id}` }))))
    device.peer.push(publishPacket({ payload: 'QoS 0' }))
    await turn()
    expect(device.ids(PUBACK)).toEqual([])
    const before = device.peer.written.length
    acceptor.answerAll()
    await vi.waitFor(() => expect(device.ids(PUBACK)).toEqual([1, 2, 3]), PATIENCE)
    expect(device.peer.written.length - before).toBe(1)
    expect(acceptor.texts()).toEqual(['1', '2', '3', 'QoS 0'])
  })

  test.each([
    ['the library’s way', publishPacket({ qos: 1, id: 2, retain: true })],
    ['the direct way to somebody who listens', publishPacket({ qos: 1, id: 2, topic: 'heard' })],
  ])('are answered in their order with one that went %s between them', async (_, between) => {
    const { acceptor, connect } = await start()
    const listener = await connect({ clientId: 'listener' })
    listener.peer.push(subscribePacket(['heard']))
    await vi.waitFor(() => expect(listener.packets(9)).toHaveLength(1), PATIENCE)
    acceptor.plain = 'together'
    acceptor.auto = false
    const device = await connect({ clientId: 'device' })
    device.peer.push(Buffer.concat([publishPacket({ qos: 1, id: 1 }), between]))
    await turn()
    device.peer.push(publishPacket({ qos: 1, id: 3 }))
    await turn()
    acceptor.answerAll()
    await vi.waitFor(() => {
      acceptor.answerAll()
      expect(device.ids(PUBACK)).toEqual([1, 2, 3])
    }, PATIENCE)
  })

  test('cut their connection once, and count one by one, when they are refused', async () => {
    const { acceptor, connect, counts } = await start()
    acceptor.plain = 'together'
    acceptor.refuseWith = storeFull()
    const device = await connect()
    device.peer.push(Buffer.concat([1, 2, 3].map((id) => publishPacket({ qos: 1, id }))))
    await vi.waitFor(() => expect(device.connection.destroyed).toBe(true), PATIENCE)
    expect(device.ids(PUBACK)).toEqual([])
    expect(counts['publishes.refused']).toBe(3)
    expect(counts['clients.failed']).toBe(1)
  })

  test('keep their client from being read while too much of it is under way', async () => {
    const { acceptor, connect } = await start({ maxInflightBytes: 2_000 })
    acceptor.plain = 'together'
    acceptor.auto = false
    const device = await connect()
    const large = (id: number) => publishPacket({ qos: 1, id, payload: 'x'.repeat(600) })
    for (let id = 1; id <= 10; id++) device.peer.push(large(id))
    await turn()
    const taken = acceptor.received.length
    expect(taken).toBeLessThan(10)
    await vi.waitFor(() => {
      acceptor.answerAll()
      expect(device.ids(PUBACK)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    }, PATIENCE)
  })
})
