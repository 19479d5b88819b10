import { fc, test } from '@fast-check/vitest'
import { expect, onTestFinished, vi } from 'vitest'
import { type Broker, createBroker } from '../../../../../gateway/ingest/mqtt/broker.ts'
import { defaultMqttLimits } from '../../../../../gateway/ingest/mqtt/settings.ts'
import { systemClock } from '../../../../../sync/runtime/index.ts'
import { FakeAcceptor } from '../support/fake-acceptor.ts'
import { readPackets } from '../support/packets.ts'
import { Peer, turn } from '../support/peer.ts'
import { PATIENCE } from '../support/raw-client.ts'
import { lendingWire } from '../support/wire.ts'
import { bytesOf, connect, publish } from './support.ts'

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

async function start() {
  const acceptor = new FakeAcceptor()
  const broker = await createBroker({
    acceptor,
    limits: defaultMqttLimits,
    clock: systemClock,
    log,
    counters: { increment: () => undefined },
    access: {},
  })
  const close = async (): Promise<void> => {
    acceptor.auto = true
    acceptor.answerAll()
    await broker.close(50)
  }
  return { acceptor, broker, close }
}

const types = (peer: Peer): number[] => readPackets(Buffer.concat(peer.written)).map(({ type }) => type)

async function connected(broker: Broker, clientId = 'd'): Promise<Peer> {
  const peer = new Peer()
  broker.attach(lendingWire(peer), 'peer')
  peer.push(bytesOf(connect({ clientId })))
  await vi.waitFor(() => expect(types(peer)).toEqual([2]), PATIENCE)
  return peer
}

const item = fc.record({
  qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
  retain: fc.boolean(),
  topic: fc.constantFrom('a', 'b', '$SYS/x'),
  alias: fc.constantFrom(undefined, 1),
  early: fc.boolean(),
})

test.prop(
  [
    fc.array(item, { maxLength: 25 }),
    fc.array(fc.nat(), { maxLength: 12 }),
    fc.nat(30),
    fc.uint8Array({ maxLength: 20 }),
  ],
  {
    numRuns: 60,
  },
)(
  'whatever is cut or appended, each publish reaches the acceptor once and in order, and is answered once and in order',
  async (items, at, answered, garbage) => {
    const { acceptor, broker, close } = await start()
    acceptor.auto = false
    const bytes = Buffer.concat([
      bytesOf(connect({ clientId: 'd' })),
      ...items.map(({ qos, retain, topic, alias }, n) =>
        bytesOf(
          publish({
            qos,
            retain,
            topic,
            messageId: n + 1,
            payload: `${n}`,
            ...(alias && { properties: { topicAlias: alias } }),
          }),
        ),
      ),
    ])
    const ends = [...new Set(at.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
    const peer = new Peer()
    broker.attach(lendingWire(peer), 'peer')
    for (const [n, end] of [...ends, bytes.length].entries()) {
      const chunk = bytes.subarray(ends[n - 1] ?? 0, end)
      if (chunk.length > 0) peer.push(chunk)
      if (n % 2 === 0) await turn()
    }
    const kept = items.map((each, n) => ({ ...each, n })).filter(({ topic }) => topic !== '$SYS/x')
    const texts = kept.map(({ n }) => `${n}`)
    await vi.waitFor(() => expect(acceptor.texts()).toEqual(texts), PATIENCE)
    // Not in the order in which they came: the answers wait for each other.
    const order = [...acceptor.received].sort((a, b) => ((Number(a.text) * 7) % 5) - ((Number(b.text) * 7) % 5))
    for (const received of order.slice(0, answered)) received.done()
    for (const received of order.slice(answered)) received.done()
    const ids = (type: number): number[] =>
      readPackets(Buffer.concat(peer.written))
        .filter((packet) => packet.type === type)
        .map(({ body }) => body.readUInt16BE(0))
    const expected = (qos: number): number[] => items.flatMap((each, n) => (each.qos === qos ? [n + 1] : []))
    await vi.waitFor(() => {
      expect(ids(4)).toEqual(expected(1))
      expect(ids(5)).toEqual(expected(2))
    }, PATIENCE)
    if (garbage.length > 0) peer.push(Buffer.from(garbage))
    await turn()
    await turn()
    expect(acceptor.texts().slice(0, texts.length)).toEqual(texts)
    await close()
  },
)

test.prop([fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.boolean()], { numRuns: 200 })(
  'any bytes at all, before or after CONNECT, harm nobody else',
  async (bytes, first) => {
    const { acceptor, broker, close } = await start()
    const healthy = await connected(broker, 'healthy')
    if (first) {
      const peer = new Peer()
      broker.attach(lendingWire(peer), 'peer')
      peer.push(Buffer.from(bytes))
    } else (await connected(broker, 'hostile')).push(Buffer.from(bytes))
    await turn()
    healthy.push(bytesOf(publish({ payload: 'fine', messageId: 4711 })))
    await vi.waitFor(() => expect(types(healthy)).toContain(4), PATIENCE)
    expect(acceptor.texts().filter((text) => text === 'fine')).toHaveLength(1)
    await close()
  },
)

test.prop([fc.nat(), fc.nat(255), fc.nat()], { numRuns: 300 })(
  'a byte that was flipped never makes two publishes of one',
  async (where, value, cut) => {
    const { acceptor, broker, close } = await start()
    const peer = await connected(broker)
    const bytes = bytesOf(
      publish({
        qos: 1,
        messageId: 1,
        payload: 'x'.repeat(20),
        properties: { userProperties: { a: 'b' }, contentType: 't' },
      }),
    )
    bytes[where % bytes.length] = value
    peer.push(bytes.subarray(0, cut % bytes.length))
    await turn()
    peer.push(bytes.subarray(cut % bytes.length))
    await turn()
    await turn()
    expect(acceptor.received.length).toBeLessThanOrEqual(1)
    await close()
  },
)

test('answers of one turn leave as one write', async () => {
  const { acceptor, broker, close } = await start()
  onTestFinished(close)
  acceptor.auto = false
  const peer = await connected(broker)
  peer.written.length = 0
  peer.push(
    Buffer.concat([1, 2, 3, 4].map((messageId) => bytesOf(publish({ messageId, qos: messageId === 3 ? 2 : 1 })))),
  )
  await vi.waitFor(() => expect(acceptor.received).toHaveLength(4), PATIENCE)
  acceptor.received[3]?.done(undefined, { outcome: 'dead letter', problem: { code: 'X', reason: 'y' } })
  acceptor.answerAll()
  await turn()
  expect(types(peer)).toEqual([4, 4, 5, 4])
  expect(peer.written.length).toBeLessThanOrEqual(2)
})
