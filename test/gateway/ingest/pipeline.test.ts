import { describe, expect, it, vi } from 'vitest'
import type { Publish, Said } from '../../../gateway/ingest/index.ts'
import { MemoryDisk } from '../../../gateway/ports/index.ts'
import { decodeDeadLetter, decodeLine, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { SimulatedClock } from '../../../sync/runtime/index.ts'
import { FaultyDisk } from '../../support/faulty-disk.ts'
import { untilWith } from '../../support/until.ts'
import { readLane } from '../outbox/support/lane.ts'
import { holdWrites, openPipeline, type Pipeline, settle } from './support.ts'

async function world(options: Partial<Parameters<typeof openPipeline>[0]> = {}) {
  const memory = new MemoryDisk()
  const disk = new FaultyDisk(memory)
  const clock = new SimulatedClock()
  const pipeline = await openPipeline({ disk, clock, ...options })
  return { ...pipeline, memory, disk, clock }
}

async function values({ outbox }: Pick<Pipeline, 'outbox'>): Promise<unknown[]> {
  const { lines } = await readLane(outbox.lane('readings'), 0)
  return [...lines.values()].map((line) => decodeLine(line).value)
}

const counted = (seq: number): string => JSON.stringify({ value: seq, seq })

describe('a reading that is ahead of the clock', () => {
  const HOUR = 3_600_000
  const ahead = (clock: SimulatedClock, seq: number): string =>
    JSON.stringify([
      { value: seq, seq, time: clock.now() + 3 * HOUR },
      { value: seq + 1, seq: seq + 1, time: clock.now() + 3 * HOUR },
    ])

  it('is stored when nobody agrees with the clock, and counted', async () => {
    const { publish, outbox, counts, clock } = await world({ maxFuture: HOUR })
    publish(ahead(clock, 1))
    publish(ahead(clock, 3))
    await settle()
    expect(await values({ outbox })).toEqual([1, 2, 3, 4])
    expect(counts).toEqual({ publishes: 2, readings: 4, aheadOfClock: 4 })
  })

  it('is a dead letter when others agree with the clock', async () => {
    const { publish, outbox, counts, clock } = await world({ maxFuture: HOUR })
    publish(ahead(clock, 1))
    publish(JSON.stringify({ value: 10, seq: 1, time: clock.now() }), { topic: 'sensors/d2/temp' })
    publish(ahead(clock, 3))
    await settle()
    expect(await values({ outbox })).toEqual([1, 2, 10])
    expect(counts).toMatchObject({ readings: 3, aheadOfClock: 2, deadLetters: 1 })
  })
})

describe('a publish', () => {
  it('is answered when it is durable, not before, in the order in which it came', async () => {
    const { publish, answers, disk, outbox, counts } = await world()
    const letGo = holdWrites(disk)
    for (const n of [1, 2, 3]) publish(counted(n))
    await settle()
    publish(counted(4), { clientId: 'c2' })
    publish('local news', { topic: 'local/news' })
    publish(counted(5))
    await settle()
    expect(answers).toEqual([])
    letGo()
    await settle()
    expect(answers).toEqual([counted(1), counted(2), counted(3), counted(4), 'local news', counted(5)])
    expect(await values({ outbox })).toEqual([1, 2, 3, 4, 5])
    expect(counts).toEqual({ publishes: 5, readings: 5 })
  })

  it.each([
    ['while others wait for the disk', 1000],
    ['while nothing more is taken in', 2],
  ])('with nothing to store has its answer behind those of what came before: %s', async (_, maxPending) => {
    const { publish, answers, disk, ingest } = await world({ admission: { maxPending } })
    const turn = (name: string): void => ingest.inTurn((error) => answers.push(`${name}${error ? ' failed' : ''}`))
    turn('first')
    expect(answers).toEqual(['first'])
    const letGo = holdWrites(disk)
    for (const n of [1, 2, 3]) publish(counted(n))
    turn('second')
    await settle()
    publish('news', { topic: 'local/news' })
    turn('third')
    publish(counted(4))
    await settle()
    expect(answers).toEqual(['first'])
    letGo()
    await vi.waitFor(() => expect(answers).toHaveLength(8))
    expect(answers).toEqual(['first', ...[1, 2, 3].map(counted), 'second', 'news', 'third', counted(4)])

    disk.failWrite = new Error('EIO')
    publish(counted(5))
    turn('fourth')
    await vi.waitFor(() => expect(answers).toHaveLength(10))
    expect(answers.slice(-2)).toEqual([expect.stringContaining('OUTBOX_WRITE_FAILED'), 'fourth failed'])
  })

  it('that repeats one still under way is answered only with it, and not at all when that fails', async () => {
    const { publish, answers, disk, outbox, clock, counts } = await world()
    const letGo = holdWrites(disk)
    publish(counted(1))
    await settle()
    publish(counted(1), { dup: true })
    await settle()
    expect(answers).toEqual([])
    disk.failWrite = new Error('EIO')
    letGo()
    await settle()
    expect(answers).toEqual([`${counted(1)} OUTBOX_WRITE_FAILED`, `${counted(1)} OUTBOX_WRITE_FAILED`])
    expect(counts).toMatchObject({ refused: 2 })
    await untilWith(clock, () => outbox.accepting)
    publish(counted(1), { dup: true })
    await settle()
    expect(answers.at(-1)).toBe(counted(1))
    expect(await values({ outbox })).toEqual([1])
  })

  it('that is no reading is kept with the reason and its bytes, and acknowledged', async () => {
    const { publish, answers, outbox, counts, clock } = await world()
    const bytes = Buffer.from([0xff, 0x00, 0x80])
    publish('{"value":')
    publish('binary', { payload: bytes })
    publish('elsewhere', { topic: 'who/knows' })
    publish('[{"value":1},{"value":{}}]')
    await settle()
    expect(answers.length).toBe(4)
    const { lines } = await readLane(outbox.lane('deadletters'), 0)
    const letters = [...lines.values()].map(decodeDeadLetter)
    expect(letters.map(({ code }) => code)).toEqual([
      'PAYLOAD_NOT_JSON',
      'PAYLOAD_NOT_UTF8',
      'TOPIC_UNKNOWN',
      'VALUE_TYPE',
    ])
    expect(Buffer.from(letters[1]?.payload ?? '', 'base64')).toEqual(bytes)
    expect(letters[2]).toMatchObject({ topic: 'who/knows', client: 'c1', received: clock.now() })
    expect(letters.every(({ reason }) => reason !== '')).toBe(true)
    // What of a message is sound is stored all the same.
    expect(await values({ outbox })).toEqual([1])
    expect(counts).toEqual({ publishes: 4, readings: 1, deadLetters: 4 })
  })

  it('on a local topic is answered although the outbox takes nothing, and stored nowhere', async () => {
    const { publish, answers, outbox, disk, counts } = await world()
    disk.failWrite = new Error('EIO')
    publish(counted(1))
    await settle()
    expect(outbox.accepting).toBe(false)
    publish('news', { topic: 'local/news' })
    await settle()
    expect(answers.at(-1)).toBe('news')
    expect(counts.publishes).toBe(1)
  })

  it('is refused, and counted as such, while the outbox takes nothing', async () => {
    const { publish, answers, disk, clock, outbox, counts } = await world()
    disk.failWrite = new Error('EIO')
    publish(counted(1))
    await settle()
    publish(counted(2))
    publish(counted(3), { qos: 0 })
    expect(answers).toEqual([
      `${counted(1)} OUTBOX_WRITE_FAILED`,
      `${counted(2)} OUTBOX_FAILED`,
      `${counted(3)} OUTBOX_FAILED`,
    ])
    expect(counts.refused).toBe(3)
    await untilWith(clock, () => outbox.accepting)
    for (const n of [1, 2, 3]) publish(counted(n), { dup: true })
    await settle()
    expect(await values({ outbox })).toEqual([1, 2, 3])
  })

  it('commits the events it causes together with its reading, or neither', async () => {
    // Every one of these causes an event.
    const rules = { rules: [11, 12, 13].map((above) => ({ id: `above-${above}`, match: {}, above: above - 0.5 })) }
    const { publish, outbox, memory, disk, clock, counts } = await world({ rules })
    publish(counted(11))
    publish(counted(12))
    await settle()
    publish(counted(13))
    await new Promise((resolve) => setImmediate(resolve))
    memory.powerCut()
    await outbox.close().catch(() => undefined)
    const again = await openPipeline({ disk, clock })
    const readings = await values(again)
    const { lines } = await readLane(again.outbox.lane('events'), 0)
    const events = [...lines.values()].map((line) => (JSON.parse(line) as ThresholdEvent).data['reading'])
    expect(events).toMatchObject(readings.map((value) => ({ value })))
    expect(events.length).toBeGreaterThanOrEqual(2)
    expect(counts.events).toBe(3)
  })
})

describe('under load', () => {
  it('QoS 0 is shed first, counted, and answered at once', async () => {
    const { publish, answers, disk, ingest, counts, outbox } = await world({ admission: { maxPending: 10 } })
    const letGo = holdWrites(disk)
    for (let n = 1; n <= 4; n++) publish(counted(n), { qos: 0 })
    expect(ingest.overloaded).toBe(false)
    publish(counted(5))
    expect(ingest.overloaded).toBe(true)
    publish(counted(6), { qos: 0 })
    publish(counted(7))
    expect(answers).toEqual([counted(6)])
    expect(counts).toMatchObject({ shed: 1, publishes: 6 })
    letGo()
    await settle()
    expect(ingest.overloaded).toBe(false)
    expect(await values({ outbox })).toEqual([1, 2, 3, 4, 5, 7])
  })

  it('what is beyond the bound waits and is taken in order, in bounded steps', async () => {
    const { publish, answers, disk, outbox } = await world({ admission: { maxPending: 4 } })
    const letGo = holdWrites(disk)
    for (let n = 1; n <= 30; n++) publish(counted(n))
    await settle()
    letGo()
    for (let i = 0; i < 10; i++) await settle()
    expect(answers).toEqual(Array.from({ length: 30 }, (_, i) => counted(i + 1)))
    expect(await values({ outbox })).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
  })

  it('bytes count as well as numbers', async () => {
    const { publish, disk, ingest } = await world({ admission: { maxPendingBytes: 1000 } })
    const letGo = holdWrites(disk)
    publish(JSON.stringify({ value: 1, labels: { a: 'x'.repeat(200) } }))
    expect(ingest.overloaded).toBe(false)
    publish(JSON.stringify({ value: 1, labels: { a: 'x'.repeat(250) } }))
    publish(JSON.stringify({ value: 1, labels: { a: 'x'.repeat(250) } }))
    expect(ingest.overloaded).toBe(true)
    letGo()
    await settle()
    expect(ingest.overloaded).toBe(false)
  })

  it('a client that sends on from its answer does not overtake what waits', async () => {
    const { ingest, outbox, disk, clock } = await world({ admission: { maxPending: 2 } })
    const letGo = holdWrites(disk)
    const message = (n: number) => ({
      clientId: 'c1',
      topic: 'sensors/d1/temp',
      payload: Buffer.from(counted(n)),
      qos: 1 as const,
      dup: false,
      messageId: n,
      received: clock.now(),
    })
    // Each answer lets the next message of the client in, as a socket that goes on being read does.
    let next = 7
    const done = (): void => {
      if (next <= 20) ingest.accept(message(next++), done)
    }
    for (let n = 1; n <= 6; n++) ingest.accept(message(n), done)
    await settle()
    letGo()
    for (let i = 0; i < 20; i++) await settle()
    expect(await values({ outbox })).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it('what waits is refused with the rest when the outbox cannot write', async () => {
    const { publish, answers, disk } = await world({ admission: { maxPending: 3 } })
    const letGo = holdWrites(disk)
    for (let n = 1; n <= 8; n++) publish(counted(n))
    await settle()
    disk.failWrite = new Error('EIO')
    letGo()
    await settle()
    expect(answers.map((answer) => JSON.parse(answer.split(' ')[0] ?? '').seq).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(answers.every((answer) => / OUTBOX_(WRITE_)?FAILED$/.test(answer))).toBe(true)
  })
})

describe('QoS 2', () => {
  const two = { qos: 2 as const }

  it('is stored once however often it comes, until it is released, also over a crash', async () => {
    const { publish, answers, outbox, memory, disk, clock, counts } = await world()
    publish('21.5', { ...two, messageId: 5 })
    publish('21.5', { ...two, messageId: 5, dup: true })
    await settle()
    expect(counts).toMatchObject({ readings: 1, repeats: 1 })
    memory.powerCut()
    await outbox.close().catch(() => undefined)

    const again = await openPipeline({ disk, clock })
    again.publish('21.5', { ...two, messageId: 5, dup: true })
    // Another client's, and another message of this one, are others.
    again.publish('21.5', { ...two, messageId: 6 })
    again.publish('21.5', { ...two, messageId: 5, clientId: 'c2' })
    await settle()
    expect(answers.length + again.answers.length).toBe(5)
    expect(await values(again)).toEqual([21.5, 21.5, 21.5])
    await again.ingest.released('c1', 5)
    again.publish('22', { ...two, messageId: 5 })
    await settle()
    expect(await values(again)).toEqual([21.5, 21.5, 21.5, 22])
  })

  it('is not taken for a repeat after a release that was confirmed, whatever fails right after', async () => {
    const { publish, ingest, outbox, memory, disk, clock } = await world()
    publish('1', { ...two, messageId: 5 })
    await settle()
    let confirmed = false
    const released = ingest.released('c1', 5).then(() => {
      confirmed = true
    })
    // Not confirmed before the deletion is on disk: the client would give the identifier to another message.
    expect(confirmed).toBe(false)
    await released
    memory.powerCut()
    await outbox.close().catch(() => undefined)
    const again = await openPipeline({ disk, clock })
    again.publish('2', { ...two, messageId: 5, dup: true })
    await settle()
    expect(await values(again)).toEqual([1, 2])
  })

  it('keeps its identifiers when they cannot be released, so that nothing is stored twice', async () => {
    const { publish, ingest, outbox, disk, clock } = await world()
    publish('1', { ...two, messageId: 5 })
    await settle()
    disk.failWrite = new Error('EIO')
    await expect(ingest.released('c1', 5)).rejects.toMatchObject({ code: 'OUTBOX_WRITE_FAILED' })
    await expect(ingest.released('c1', 5)).rejects.toMatchObject({ name: 'StopAcceptingError' })
    await untilWith(clock, () => outbox.accepting)
    publish('1', { ...two, messageId: 5, dup: true })
    await settle()
    expect(await values({ outbox })).toEqual([1])
    await ingest.released('c1', 5)
    publish('2', { ...two, messageId: 5 })
    await settle()
    expect(await values({ outbox })).toEqual([1, 2])
  })

  it('forgets all identifiers of a client that begins anew', async () => {
    const { publish, ingest, outbox } = await world()
    for (const messageId of [1, 2, 3]) publish(`${messageId}`, { ...two, messageId })
    publish('9', { ...two, messageId: 1, clientId: 'c10' })
    await ingest.released('c1', null)
    publish('4', { ...two, messageId: 2 })
    publish('9', { ...two, messageId: 1, clientId: 'c10', dup: true })
    await settle()
    expect(await values({ outbox })).toEqual([1, 2, 3, 9, 4])
  })

  it('of a will is stored each time: a will has no identifier', async () => {
    const { publish, outbox } = await world()
    for (const value of ['1', '2', '3']) publish(value, { ...two, messageId: 0 })
    publish('4', { ...two, messageId: 0, clientId: '' })
    publish('5', { ...two, messageId: 0, clientId: '' })
    await settle()
    expect(await values({ outbox })).toEqual([1, 2, 3, 4, 5])
  })

  it('of a dead letter is kept once', async () => {
    const { publish, outbox } = await world()
    publish('broken{', { ...two, messageId: 3 })
    publish('broken{', { ...two, messageId: 3, dup: true })
    await settle()
    expect((await readLane(outbox.lane('deadletters'), 0)).lines.size).toBe(1)
  })
})

describe('what became of a publish', () => {
  const verdictOf = async (
    payload: string,
    extra: Partial<Publish> = {},
    options: Parameters<typeof world>[0] = {},
  ): Promise<string> => {
    const { publish, verdicts } = await world(options)
    publish(payload, extra)
    await settle()
    const [verdict] = verdicts
    return `${verdict?.outcome}${verdict?.problem ? ` ${verdict.problem.code}` : ''}`
  }

  it('is told with the answer', async () => {
    expect(await verdictOf('21.5')).toBe('stored')
    expect(await verdictOf('broken{')).toBe('dead letter PAYLOAD_NOT_JSON')
    expect(await verdictOf('[{"value":1,"seq":1},7]')).toBe('stored READING_NOT_OBJECT')
    expect(await verdictOf('21.5', { topic: 'mistyped' })).toBe('dead letter TOPIC_UNKNOWN')
    expect(await verdictOf('on', { topic: 'local/lamp' })).toBe('local')
    expect(await verdictOf('21.5', { qos: 0 }, { admission: { maxPending: 0 } })).toBe('shed')
  })

  it('is not known when its commit failed, and is when nothing is taken', async () => {
    const { publish, verdicts, answers, disk } = await world()
    disk.failWrite = new Error('EIO')
    publish('1')
    await settle()
    publish('2')
    await settle()
    expect(answers).toEqual(['1 OUTBOX_WRITE_FAILED', expect.stringMatching(/^2 OUTBOX_/)])
    expect(verdicts).toEqual([undefined, { outcome: 'refused', problem: null }])
  })
})

describe('what MQTT 5 says about a message', () => {
  const said = (extra: Partial<Said>): Partial<Publish> => ({
    said: { user: [], contentType: null, expiry: null, ...extra },
  })

  it('labels its readings', async () => {
    const { publish, outbox } = await world()
    publish('1', said({ user: [['line', 'a']] }))
    publish('2')
    await settle()
    const { lines } = await readLane(outbox.lane('readings'), 0)
    expect([...lines.values()].map((line) => decodeLine(line).labels)).toEqual([{ line: 'a' }, undefined])
  })

  it('makes a dead letter of what it says cannot be read', async () => {
    const { publish, outbox, verdicts } = await world()
    publish('1', said({ contentType: 'application/cbor' }))
    publish('2', said({ user: [['', 'x']] }))
    await settle()
    const { lines } = await readLane(outbox.lane('deadletters'), 0)
    const codes = ['CONTENT_TYPE_UNSUPPORTED', 'LABELS_INVALID']
    expect([...lines.values()].map((line) => decodeDeadLetter(line).code)).toEqual(codes)
    expect(verdicts.map((verdict) => verdict?.problem?.code)).toEqual(codes)
  })

  it('makes a dead letter of readings that are older than it allows, and counts them', async () => {
    const { publish, outbox, verdicts, clock, counts } = await world()
    const at = (age: number): object => ({ value: age, time: clock.now() - age, seq: age })
    const minute = said({ expiry: 60_000 })
    publish(JSON.stringify(at(60_000)), minute)
    publish(JSON.stringify(at(60_001)), minute)
    publish(JSON.stringify([at(70_000), at(10), at(80_000)]), minute)
    // Without a time of its own it is as old as its arrival.
    publish('5', said({ expiry: 0 }))
    publish(JSON.stringify(at(90_000)))
    await settle()
    expect(await values({ outbox })).toEqual([60_000, 10, 5, 90_000])
    expect(verdicts.map((verdict) => `${verdict?.outcome} ${verdict?.problem?.code ?? ''}`)).toEqual([
      'stored ',
      'dead letter MESSAGE_EXPIRED',
      'stored MESSAGE_EXPIRED',
      'stored ',
      'stored ',
    ])
    expect(counts).toMatchObject({ stale: 3, deadLetters: 2, readings: 4 })
  })

  it('does not make a dead letter of a repeat: what it repeats came in time', async () => {
    const { publish, outbox, verdicts, clock } = await world()
    const payload = JSON.stringify({ value: 1, time: clock.now(), seq: 1 })
    publish(payload, said({ expiry: 1_000 }))
    await clock.advance(5_000)
    publish(payload, { ...said({ expiry: 1_000 }), dup: true, received: clock.now() })
    await settle()
    expect(verdicts.map((verdict) => verdict?.outcome)).toEqual(['stored', 'stored'])
    expect(await values({ outbox })).toEqual([1])
  })
})
