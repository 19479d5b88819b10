import { describe, expect, test, vi } from 'vitest'
import { FrameGuard } from '../../../../gateway/ingest/mqtt/frame-guard.ts'
import { GuardedSocket } from '../../../../gateway/ingest/mqtt/guarded-socket.ts'
import { defaultMqttLimits } from '../../../../gateway/ingest/mqtt/settings.ts'
import type { Violation } from '../../../../gateway/ingest/mqtt/violation.ts'
import { connectPacket, pingreqPacket, pubackPacket, publishPacket } from './support/packets.ts'
import { Peer, turn } from './support/peer.ts'
import { lendingWire } from './support/wire.ts'

function setUp(maxInflightBytes = 1000) {
  const peer = new Peer({ highWaterMark: 100 })
  const violations: Violation[] = []
  const clogs: Array<() => void> = []
  const connection = new GuardedSocket(lendingWire(peer), {
    guard: new FrameGuard(defaultMqttLimits),
    maxInflightBytes,
    onViolation: (fault) => violations.push(fault),
    onClogged: (resume) => clogs.push(resume),
  })
  return { peer, connection, violations, clogs }
}

function readable(connection: GuardedSocket): Buffer[] {
  const chunks: Buffer[] = []
  connection.on('data', (chunk: Buffer) => chunks.push(chunk))
  return chunks
}

test('what is written in one turn leaves as one write', async () => {
  const { peer, connection } = setUp()
  connection.cork()
  for (let n = 0; n < 20; n++) connection.write(Buffer.from([0x40, 2, 0, n]))
  connection.uncork()
  await turn()
  expect(peer.written.map((chunk) => chunk.length)).toEqual([80])
  expect(peer.written[0]?.subarray(76)).toEqual(Buffer.from([0x40, 2, 0, 19]))
})

test('large writes go out in order without being copied together', async () => {
  const { peer, connection } = setUp()
  const pieces = [Buffer.alloc(50_000, 1), Buffer.alloc(50_000, 2), Buffer.from('end')]
  connection.cork()
  for (const piece of pieces) connection.write(piece)
  connection.uncork()
  await turn()
  expect(Buffer.concat(peer.written).equals(Buffer.concat(pieces))).toBe(true)
})

test('a write completes when the socket took it; until then it counts as backlog', async () => {
  const { peer, connection } = setUp()
  peer.taking = false
  const done: string[] = []
  connection.write(Buffer.alloc(300), () => done.push('first'))
  connection.write(Buffer.alloc(300), () => done.push('second'))
  await turn()
  expect(done).toEqual([])
  expect(connection.backlog).toBeGreaterThanOrEqual(600)
  peer.takeAll()
  await turn()
  await turn()
  expect(done).toEqual(['first', 'second'])
  expect(connection.backlog).toBe(0)
})

test('rests from CONNECT until it is accepted', async () => {
  const { peer, connection } = setUp()
  const chunks = readable(connection)
  peer.push(Buffer.concat([connectPacket(), pingreqPacket]))
  peer.push(pingreqPacket)
  await turn()
  expect(chunks).toEqual([Buffer.concat([connectPacket(), pingreqPacket])])
  expect(peer.isPaused()).toBe(true)
  connection.accept()
  await turn()
  expect(chunks).toHaveLength(2)
})

test('rests while too much is in flight, and reads on when it is settled', async () => {
  const { peer, connection } = setUp(1000)
  const chunks = readable(connection)
  peer.push(connectPacket())
  await turn()
  connection.accept()
  expect(chunks).toHaveLength(1)
  connection.hold(1000)
  peer.push(pingreqPacket)
  await turn()
  expect(chunks).toHaveLength(1)
  expect(peer.isPaused()).toBe(true)
  connection.settle(600)
  await turn()
  expect(chunks).toHaveLength(2)
})

test('`rest` is for good', async () => {
  const { peer, connection } = setUp()
  const chunks = readable(connection)
  connection.rest()
  peer.push(connectPacket())
  connection.hold(5000)
  connection.settle(5000)
  await turn()
  expect(chunks).toEqual([])
})

test('a violation is reported once, nothing more passes, the socket is destroyed', async () => {
  const { peer, connection, violations } = setUp()
  const chunks = readable(connection)
  peer.push(connectPacket())
  await turn()
  connection.accept()
  peer.push(publishPacket({ topic: '#' }))
  peer.push(publishPacket({ topic: '#' }))
  await turn()
  expect(chunks).toEqual([connectPacket()])
  expect(violations.map(({ code }) => code)).toEqual(['TOPIC_WILDCARD'])
  expect(peer.destroyed).toBe(true)
  expect(connection.destroyed).toBe(true)
})

test('a violation that is owed a CONNACK gets it before the end', async () => {
  const { peer, connection } = setUp()
  readable(connection)
  peer.push(connectPacket({ level: 5 }))
  await turn()
  await turn()
  expect(peer.written).toEqual([Buffer.from([0x20, 2, 0, 1])])
  expect(connection.destroyed).toBe(true)
})

test('hanging up flushes what was written and drops what still comes', async () => {
  const { peer, connection } = setUp()
  const chunks = readable(connection)
  peer.push(connectPacket())
  await turn()
  connection.write(Buffer.from('ack'))
  connection.hangUp()
  peer.push(pingreqPacket)
  await turn()
  expect(Buffer.concat(peer.written).toString()).toBe('ack')
  expect(peer.writableFinished).toBe(true)
  expect(chunks).toEqual([connectPacket()])
})

test('an error or the end of the socket is the end of the connection', async () => {
  const failed = setUp()
  const errors: Error[] = []
  failed.connection.on('error', (error) => errors.push(error))
  failed.peer.destroy(new Error('reset'))
  await turn()
  expect(errors.map(({ message }) => message)).toEqual(['reset'])
  expect(failed.connection.destroyed).toBe(true)

  const ended = setUp()
  readable(ended.connection)
  ended.peer.push(null)
  await turn()
  await turn()
  expect(ended.connection.destroyed).toBe(true)
})

describe('acknowledgements', () => {
  async function connected() {
    const parts = setUp()
    readable(parts.connection)
    parts.peer.push(connectPacket())
    await turn()
    parts.connection.accept()
    await turn()
    return parts
  }

  test('of one turn leave as one write, in order', async () => {
    const { peer, connection } = await connected()
    for (const id of [1, 2, 300]) connection.acknowledge(id)
    expect(peer.written).toEqual([])
    await turn()
    expect(peer.written).toEqual([Buffer.concat([1, 2, 300].map(pubackPacket))])
    connection.acknowledge(4)
    await turn()
    expect(peer.written[1]).toEqual(pubackPacket(4))
  })

  test('and what the library writes keep the order of the calls, packet by packet', async () => {
    const { peer, connection } = await connected()
    connection.acknowledge(1)
    connection.cork()
    connection.write(Buffer.from([0x30, 3, 0]))
    connection.write(Buffer.from([1, 0x61]))
    process.nextTick(() => connection.uncork())
    connection.acknowledge(2)
    await turn()
    expect(Buffer.concat(peer.written)).toEqual(
      Buffer.concat([pubackPacket(1), Buffer.from([0x30, 3, 0, 1, 0x61]), pubackPacket(2)]),
    )
  })

  test('that the client does not read keep it from being read, until it reads', async () => {
    const { peer, connection, clogs } = await connected()
    peer.taking = false
    // More than the buffers of the connection and of the socket.
    for (let round = 0; round < 20; round++) {
      for (let id = 1; id <= 1000; id++) connection.acknowledge(id)
      await turn()
    }
    expect(clogs).toHaveLength(1)
    expect(peer.isPaused()).toBe(true)
    connection.once('drain', () => clogs[0]?.())
    peer.takeAll()
    await vi.waitFor(() => expect(peer.isPaused()).toBe(false))
    expect(connection.backlog).toBe(0)
    expect(Buffer.concat(peer.written)).toHaveLength(20 * 1000 * 4)
  })

  test('are sent before hanging up, and dropped after it or after the end', async () => {
    const { peer, connection } = await connected()
    const errors: Error[] = []
    connection.on('error', (error) => errors.push(error))
    connection.acknowledge(1)
    connection.hangUp()
    connection.acknowledge(2)
    await turn()
    expect(peer.written).toEqual([pubackPacket(1)])
    const cut = await connected()
    cut.connection.on('error', (error) => errors.push(error))
    cut.connection.acknowledge(1)
    cut.peer.destroy()
    await turn()
    cut.connection.acknowledge(2)
    await turn()
    expect(cut.connection.destroyed).toBe(true)
    expect(errors).toEqual([])
  })
})
