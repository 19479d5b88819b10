import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CentralServer, startCentral } from '../../../simulators/central/index.ts'
import { FaultProxy } from '../../../simulators/faults/index.ts'
import { Ledger, natsCentral, verify } from '../../../simulators/ledger/index.ts'
import { type Reading, STREAMS } from '../../../sync/contract/index.ts'
import { type HandMadePack, packMaker } from './packs.ts'

let dir: string
let server: CentralServer
let nats: NatsConnection

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verify-'))
  server = await startCentral({ dir })
  nats = await connect({ servers: server.url })
})

afterAll(async () => {
  await nats?.close()
  await server?.stop()
  await rm(dir, { recursive: true, force: true })
})

const addStreams = async (names: readonly string[] = [STREAMS.readings, STREAMS.deadletters]): Promise<void> => {
  const manager = await jetstreamManager(nats)
  for (const name of names) await manager.streams.add({ name, subjects: [`${name.toLowerCase()}.>`] })
}

const dropStreams = async (): Promise<void> => {
  const manager = await jetstreamManager(nats)
  for await (const name of manager.streams.names()) await manager.streams.delete(name)
}

async function store(pack: HandMadePack): Promise<void> {
  const message = headers()
  for (const [name, value] of Object.entries(pack.headers)) message.set(name, value)
  await jetstream(nats).publish(pack.subject, pack.body, { headers: message })
}

const reading = (device: string, seq: number): Reading => ({
  device,
  metric: 'temperature',
  value: seq,
  unit: 'Cel',
  received: Date.now(),
  seq,
  session: 'run-0',
})

const range = (device: string, from: number, to: number): Reading[] =>
  Array.from({ length: to - from + 1 }, (_, i) => reading(device, from + i))

function ledgerOf(devices: Record<string, number>): Ledger {
  const ledger = new Ledger({ startedAt: Date.now() - 1_000 })
  ledger.addRun('run')
  for (const [device, count] of Object.entries(devices)) {
    const series = ledger.series({ device, metric: 'temperature', session: 'run-0' })
    for (let seq = 0; seq < count; seq++) series.attempt(seq, seq)
    series.acknowledge(0, count - 1)
  }
  return ledger
}

describe('verify against a real JetStream', () => {
  beforeEach(() => addStreams())
  afterEach(dropStreams)

  it('reads thousands of packs of all sizes, plain and gzip, and finds nothing wrong when nothing is', async () => {
    const make = packMaker()
    let seq = 0
    for (let pack = 0; pack < 400; pack++) {
      const size = 1 + ((pack * 37) % 90)
      await store(make.readings(range('d1', seq, seq + size - 1), { gzip: pack % 2 === 0 }))
      seq += size
    }
    const progress: number[] = []
    const ledger = ledgerOf({ d1: seq })
    const verdict = await verify(ledger, natsCentral(nats), { onProgress: ({ messages }) => progress.push(messages) })
    expect(verdict).toMatchObject({ ok: true, total: { stored: seq, acknowledged: seq } })
    expect(progress.at(-1)).toBe(400)
  })

  it('finds every kind of planted fault at once, and whose it is', async () => {
    const make = packMaker()
    await store(make.readings([...range('loser', 0, 3), ...range('loser', 6, 9)]))
    await store(make.readings([...range('doubler', 0, 9), reading('doubler', 4)], { gzip: true }))
    await store(make.readings([reading('mixer', 1), reading('mixer', 0), ...range('mixer', 2, 9)]))
    await store(make.readings([...range('inventor', 0, 9), reading('inventor', 10)]))
    await store(make.readings(range('honest', 0, 9)))
    const ledger = ledgerOf({ loser: 10, doubler: 10, mixer: 10, inventor: 10, honest: 10 })
    const { devices, exitCode } = await verify(ledger, natsCentral(nats))
    expect(exitCode).toBe(1)
    expect(
      devices.map(({ device, lost, doubled, reordered, invented }) => [device, lost, doubled, reordered, invented]),
    ).toEqual([
      ['doubler', 0, 1, 0, 0],
      ['honest', 0, 0, 0, 0],
      ['inventor', 0, 0, 0, 1],
      ['loser', 2, 0, 0, 0],
      ['mixer', 0, 0, 1, 0],
    ])
  })

  it('waits for what is still on its way, when asked to', async () => {
    const make = packMaker()
    await store(make.readings(range('d1', 0, 9)))
    const late = [make.readings(range('d1', 10, 14)), make.readings(range('d1', 15, 19))]
    let stored = 0
    const verdict = await verify(ledgerOf({ d1: 20 }), natsCentral(nats), {
      settle: 20_000,
      onProgress: ({ messages }) => {
        const next = late[stored]
        if (messages !== stored + 1 || next === undefined) return
        stored++
        void store(next)
      },
    })
    expect(verdict).toMatchObject({ ok: true, total: { stored: 20, lost: 0 } })
  })

  it('looks only at what came after a given message', async () => {
    const make = packMaker()
    await store(make.readings(range('stranger', 0, 9)))
    await store(make.readings(range('d1', 0, 9)))
    const verdict = await verify(ledgerOf({ d1: 10 }), natsCentral(nats), { from: 2, strict: true })
    expect(verdict.ok).toBe(true)
    expect(verdict.positions.readings.before).toBe(10)
  })

  it('starts over when the stream is made anew while it waits', async () => {
    await store(packMaker().readings(range('d1', 0, 4)))
    let replaced: Promise<void> | undefined
    const replace = async (): Promise<void> => {
      await dropStreams()
      await addStreams()
      await store(packMaker().readings(range('d1', 0, 9)))
    }
    const verdict = await verify(ledgerOf({ d1: 10 }), natsCentral(nats), {
      settle: 20_000,
      onProgress: ({ messages }) => {
        if (messages === 1) replaced ??= replace()
      },
    })
    await replaced
    expect(verdict).toMatchObject({ ok: true, total: { stored: 10, doubled: 0 } })
  })

  it('gives up when the centre falls silent in the middle', async () => {
    const make = packMaker()
    for (let seq = 0; seq < 200; seq++) await store(make.readings([reading('d1', seq)]))
    const proxy = await FaultProxy.listen({ target: { port: server.port } })
    const slow = await connect({ servers: `127.0.0.1:${proxy.port}` })
    try {
      const central = natsCentral(slow, { stallAfter: 200, readAhead: 1 })
      const onProgress = (): void => void proxy.blackHole()
      await expect(verify(ledgerOf({ d1: 200 }), central, { onProgress })).rejects.toMatchObject({
        code: 'CENTRAL_READ_STALLED',
      })
    } finally {
      await proxy.close()
      await slow.close()
    }
  })

  it('stops when told to', async () => {
    await expect(
      verify(ledgerOf({ d1: 10 }), natsCentral(nats), { settle: 60_000, signal: AbortSignal.timeout(50) }),
    ).rejects.toThrow(/abort|timeout/i)
  })
})

describe('a centre without streams', () => {
  it('holds nothing: everything acknowledged is lost', async () => {
    expect((await verify(ledgerOf({ d1: 10 }), natsCentral(nats))).total.lost).toBe(10)
  })

  it('needs no stream of dead letters', async () => {
    await addStreams([STREAMS.readings])
    await store(packMaker().readings(range('d1', 0, 9)))
    expect((await verify(ledgerOf({ d1: 10 }), natsCentral(nats))).ok).toBe(true)
    await dropStreams()
  })
})
