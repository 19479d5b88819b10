import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  consumerDeadLetterSubject,
  DEAD_LETTER_HEADERS,
  decodeBatch,
  memoryPositions,
  type PositionStore,
  storedMessage,
} from '../../../sync/consumer/index.ts'
import {
  DeadLetterError,
  encodeLine,
  HEADERS,
  OperatorError,
  RetryableError,
  readingsSubject,
  STREAMS,
} from '../../../sync/contract/index.ts'
import { reading, readings, TestCentre } from '../../support/test-centre.ts'
import { range, start, until, values } from './running.ts'

let centre: TestCentre
let tests = 0

beforeAll(async () => {
  centre = await TestCentre.start()
})
afterAll(() => centre?.stop())

/** A site and a durable of its own for every test, so that they share one server. */
const fresh = () => ({ site: `site ${++tests}`, durable: `durable-${tests}`, servers: centre.server.url })

const durableInfo = (durable: string) => centre.manager.consumers.info(STREAMS.readings, durable)

async function deadLetters(durable: string) {
  const letters = []
  for (let seq = 1; ; ) {
    const query = { next_by_subj: consumerDeadLetterSubject(durable, '>'), seq }
    const found = await centre.manager.streams.getMessage(STREAMS.consumerDeadletters, query)
    if (!found) return letters
    letters.push(found)
    seq = found.seq + 1
  }
}

describe('readings', () => {
  it('come one by one in the order of their gateway, also out of compressed packs', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 99))
    await centre.publishReadings({ site, from: 100, gzip: true }, readings(100, 199))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 200)
    expect(values(consumer)).toEqual(range(0, 199))
    expect(consumer.contexts[150]).toMatchObject({
      position: { origin: `${readingsSubject(site, 'gw')}/epoch-1`, offset: 150 },
      site,
      gateway: 'gw',
      attempt: 1,
      redelivered: false,
      line: encodeLine(reading(150)),
    })
    expect(consumer.kinds()).toEqual([])
  })

  it("have the device's time, or the gateway's where the device gave none", async () => {
    const { site, ...options } = fresh()
    const { time: _, ...timeless } = reading(1)
    await centre.publishReadings({ site, from: 0 }, [reading(0), timeless])
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 2)
    expect(consumer.records).toMatchObject([
      { time: reading(0).time, timeSource: 'device' },
      { time: timeless.received, timeSource: 'gateway' },
    ])
  })

  it('are acknowledged pack by pack, so that a stopped consumer goes on where it was', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    const first = start({ ...options, site })
    await until(() => first.records.length === 10)
    await first.stop()
    await centre.publishReadings({ site, from: 10 }, readings(10, 19))
    const second = start({ ...options, site })
    await until(() => second.records.length === 10)
    expect(values(second)).toEqual(range(10, 19))
    expect(second.kinds()).toEqual([])
  })

  it('of other sites and gateways are left alone', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, gateway: 'a.1', from: 0 }, readings(0, 4))
    await centre.publishReadings({ site, gateway: 'b', from: 0 }, readings(5, 9))
    await centre.publishReadings({ site: `${site} too`, gateway: 'a.1', from: 0 }, readings(10, 14))
    const consumer = start({ ...options, site, gateway: 'a.1' })
    await until(() => consumer.records.length === 5)
    await centre.publishReadings({ site, gateway: 'a.1', from: 5 }, readings(20, 20))
    await until(() => consumer.records.length === 6)
    expect(values(consumer)).toEqual([0, 1, 2, 3, 4, 20])
  })

  it('from now on are all that a consumer gets that starts now', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    const consumer = start({ ...options, site, start: 'now' })
    await until(async () => (await durableInfo(options.durable).catch(() => null)) !== null)
    await centre.publishReadings({ site, from: 10 }, readings(10, 11))
    await until(() => consumer.records.length === 2)
    expect(values(consumer)).toEqual([10, 11])
    expect(consumer.kinds()).toEqual([])
  })

  it('of several gateways are handled side by side, each gateway in order', async () => {
    const { site, ...options } = fresh()
    for (const gateway of ['a', 'b', 'c'])
      for (let from = 0; from < 50; from += 5)
        await centre.publishReadings({ site, gateway, from }, readings(from, from + 4))
    let running = 0
    let most = 0
    const consumer = start({
      ...options,
      site,
      concurrency: 3,
      handler: async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
      },
    })
    await until(() => consumer.records.length === 150)
    expect(most).toBe(3)
    for (const gateway of ['a', 'b', 'c'])
      expect(consumer.contexts.filter((one) => one.gateway === gateway).map(({ position }) => position.offset)).toEqual(
        range(0, 49),
      )
  })
})

describe('positions', () => {
  it('report holes: those that the gateway declares, and those that nobody declares', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0, gaps: [{ from: 3, to: 5, reason: 'evicted' }] }, readings(0, 4))
    await centre.publishReadings({ site, from: 10 }, readings(10, 11))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 7)
    expect(consumer.contexts.map(({ position }) => position.offset)).toEqual([0, 1, 2, 6, 7, 10, 11])
    const origin = `${readingsSubject(site, 'gw')}/epoch-1`
    expect(consumer.reports).toMatchObject([
      { kind: 'declared', origin, from: 3, to: 5, reason: 'evicted' },
      { kind: 'gap', origin, from: 8, to: 9 },
    ])
  })

  it('skip a pack that was published twice', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 4))
    await centre.publishReadings({ site, from: 0 }, readings(0, 4))
    await centre.publishReadings({ site, from: 5 }, readings(5, 6))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length >= 7)
    expect(values(consumer)).toEqual(range(0, 6))
    expect(consumer.reports).toMatchObject([{ kind: 'repeat', from: 0, to: 4 }])
    await until(async () => (await durableInfo(options.durable)).num_ack_pending === 0)
  })

  it('skip the known part of a pack that goes back', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 4))
    await centre.publishReadings({ site, from: 2 }, readings(2, 8))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length >= 9)
    expect(values(consumer)).toEqual(range(0, 8))
    expect(consumer.reports).toMatchObject([{ kind: 'regress', why: 'overlap', from: 2, to: 4 }])
  })

  it('tell a new numbering from a repeat', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 4))
    await centre.publishReadings({ site, epoch: 'epoch-2', from: 0 }, readings(5, 9))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 10)
    expect(values(consumer)).toEqual(range(0, 9))
    const subject = readingsSubject(site, 'gw')
    expect(consumer.reports).toMatchObject([
      { kind: 'epoch', before: `${subject}/epoch-1`, origin: `${subject}/epoch-2`, from: 0 },
    ])
  })

  it('are saved as often as asked, and at the end of every pack', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    await centre.publishReadings({ site, from: 10, gaps: [{ from: 11, to: 12, reason: 'trimmed' }] }, readings(10, 10))
    const saved: number[] = []
    const positions = { load: () => null, save: (_: string, offset: number) => void saved.push(offset) }
    const consumer = start({ ...options, site, positions, saveEvery: 4 })
    await until(() => consumer.records.length === 11)
    await consumer.stop()
    expect(saved).toEqual([3, 7, 9, 12])
  })

  it('of a transactional store are saved only for what the handler does not handle', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0, gaps: [{ from: 4, to: 5, reason: 'damaged' }] }, readings(0, 3))
    const saved: number[] = []
    const positions: PositionStore = {
      transactional: true,
      load: () => null,
      save: (_, offset) => void saved.push(offset),
    }
    const handler = ({ value }: { value: unknown }) => {
      if (value === 1) throw new DeadLetterError('BAD', 'bad')
    }
    const consumer = start({ ...options, site, positions, handler })
    await until(() => consumer.records.length === 3)
    await consumer.stop()
    expect(saved).toEqual([1, 5])
  })

  it('that cannot be saved are insisted on', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 2))
    const store = memoryPositions()
    let fails = 2
    const positions: PositionStore = {
      load: (origin) => store.load(origin),
      save: (origin, offset) => {
        if (offset === 1 && fails-- > 0) throw new Error('the disk is busy')
        return store.save(origin, offset)
      },
    }
    const consumer = start({ ...options, site, positions, retry: { min: 1, max: 5 } })
    await until(() => consumer.records.length === 3)
    expect(values(consumer)).toEqual([0, 1, 2])
    expect(consumer.kinds()).toEqual(['trouble', 'trouble'])
  })
})

describe('a reading that cannot be processed', () => {
  const retry = { attempts: 3, min: 1, max: 5 }

  it('is tried again, then put aside, and does not hold up its pack', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    let asked = 0
    const consumer = start({
      ...options,
      site,
      retry,
      handler: ({ value }) => {
        if (value !== 4) return
        asked++
        throw new Error('4 is poison: ä')
      },
    })
    await until(() => consumer.records.length === 9)
    expect(values(consumer)).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9])
    expect(asked).toBe(3)
    expect(consumer.kinds()).toEqual(['retry', 'retry', 'deadletter'])
    await until(async () => (await durableInfo(options.durable)).ack_floor.stream_seq > 0)
    expect((await durableInfo(options.durable)).num_ack_pending).toBe(0)

    const [letter, ...more] = await deadLetters(options.durable)
    expect(more).toEqual([])
    expect(letter?.subject).toBe(`consumer-deadletters.${options.durable}.${readingsSubject(site, 'gw')}`)
    expect(letter?.header.get(DEAD_LETTER_HEADERS.code)).toBe('HANDLER_FAILED')
    expect(decodeURIComponent(letter?.header.get(DEAD_LETTER_HEADERS.reason) ?? '')).toBe('4 is poison: ä')
    expect(letter?.header.get(DEAD_LETTER_HEADERS.attempts)).toBe('3')
    expect(letter?.header.get(DEAD_LETTER_HEADERS.stream)).toBe(STREAMS.readings)
    expect(letter?.string()).toBe(`${encodeLine(reading(4))}\n`)
    // It is a pack of one reading at its own position, for whoever wants to process it again.
    const message =
      letter && storedMessage({ subject: readingsSubject(site, 'gw'), data: letter.data }, 1, () => letter.header)
    expect(message && (await decodeBatch('readings', message))).toMatchObject({ from: 4, to: 4, offsets: [4] })
  })

  it('is put aside at once when the handler says that it can never be processed', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 1))
    const handler = ({ value }: { value: unknown }) => {
      if (value === 0) throw new DeadLetterError('UNKNOWN_DEVICE', 'nobody knows it')
    }
    const consumer = start({ ...options, site, retry, handler })
    await until(() => consumer.records.length === 1)
    expect(consumer.reports).toMatchObject([
      { kind: 'deadletter', code: 'UNKNOWN_DEVICE', reason: 'nobody knows it', position: { offset: 0 } },
    ])
  })

  it('is never put aside when the handler says that it is not its fault', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 1))
    let outage = 7
    const handler = () => {
      if (outage-- > 0) throw new RetryableError('DB_DOWN', 'the database is down')
    }
    const consumer = start({ ...options, site, retry, handler })
    await until(() => consumer.records.length === 2)
    expect(values(consumer)).toEqual([0, 1])
    expect(consumer.kinds()).toEqual(Array(7).fill('retry'))
    expect(consumer.contexts[0]?.attempt).toBe(8)
  })

  it('because its line is broken goes the same way without being handed out', async () => {
    const { site, ...options } = fresh()
    await centre.publishLines({ site, from: 0 }, [encodeLine(reading(0)), '{"device":', encodeLine(reading(2))])
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 2)
    expect(consumer.reports).toMatchObject([{ kind: 'deadletter', code: 'LINE_NOT_JSON', position: { offset: 1 } }])
    expect((await deadLetters(options.durable)).map((letter) => letter.string())).toEqual(['{"device":\n'])
  })

  it('goes where the application says, and is insisted on until it is kept', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 1))
    const kept: unknown[] = []
    let fails = 2
    const consumer = start({
      ...options,
      site,
      retry,
      handler: ({ value }) => {
        if (value === 0) throw new DeadLetterError('NO', 'no')
      },
      deadLetter: async ({ code, record }) => {
        if (fails-- > 0) throw new Error('not now')
        kept.push({ code, line: record?.line })
      },
    })
    await until(() => consumer.records.length === 1)
    expect(kept).toEqual([{ code: 'NO', line: encodeLine(reading(0)) }])
    expect(consumer.kinds()).toEqual(['trouble', 'trouble', 'deadletter'])
  })
})

describe('a message that is not of a gateway', () => {
  it('is put aside whole, and what follows is not held up', async () => {
    const { site, ...options } = fresh()
    const subject = readingsSubject(site, 'gw')
    await centre.publishReadings({ site, from: 0 }, readings(0, 1))
    await centre.client.publish(subject, 'hello')
    const pack = await centre.pack({ site, from: 2 }, subject, ['{}'])
    await centre.publish({ ...pack, headers: pack.headers.map(([k, v]) => [k, k === HEADERS.to ? '9000000000' : v]) })
    await centre.publish({
      ...pack,
      body: Buffer.from('\x1f\x8bnot gzip'),
      headers: [...pack.headers, [HEADERS.contentEncoding, 'gzip']],
    })
    await centre.publishReadings({ site, from: 2 }, readings(2, 3))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 4)
    expect(values(consumer)).toEqual([0, 1, 2, 3])
    expect(consumer.reports).toMatchObject([
      { kind: 'deadletter', code: 'PACK_HEADERS', position: null },
      { kind: 'deadletter', code: 'PACK_HEADERS', position: null },
      { kind: 'deadletter', code: 'PACK_BODY', position: null },
    ])
    const [letter] = await deadLetters(options.durable)
    expect(letter?.string()).toBe('hello')
    expect(letter?.header.get(DEAD_LETTER_HEADERS.subject)).toBe(subject)
  })

  it('is put aside also when its headers cannot even be read', async () => {
    const { site, ...options } = fresh()
    const socket = connectTcp(centre.server.port, '127.0.0.1')
    await once(socket, 'data')
    const headers = 'NATS/1.0\r\nno header name: x\r\n\r\n'
    const subject = readingsSubject(site, 'gw')
    socket.write(
      `CONNECT {"verbose":false,"headers":true}\r\nHPUB ${subject} ${headers.length} ${headers.length + 5}\r\n${headers}hello\r\nPING\r\n`,
    )
    await once(socket, 'data')
    socket.destroy()
    await centre.publishReadings({ site, from: 0 }, readings(0, 1))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 2)
    expect(consumer.kinds()).toEqual(['deadletter'])
    expect((await deadLetters(options.durable)).map((letter) => letter.string())).toEqual(['hello'])
  })

  it('is kept by reference when it does not fit beside the reason', async () => {
    const { site, ...options } = fresh()
    const noise = Buffer.from(Array.from({ length: 1024 * 1024 - 300 }, (_, i) => (i * 7919 + (i >> 3) * 104729) % 251))
    const { seq } = await centre.client.publish(readingsSubject(site, 'gw'), noise)
    await centre.publishReadings({ site, from: 0 }, readings(0, 0))
    const consumer = start({ ...options, site, maxBytes: 4096 })
    await until(() => consumer.records.length === 1)
    const [letter] = await deadLetters(options.durable)
    const omitted = letter?.header.get(DEAD_LETTER_HEADERS.body) === 'omitted'
    // Whether noise compresses is zlib's business; either way nothing is lost.
    expect(omitted || letter?.header.get(HEADERS.contentEncoding) === 'gzip').toBe(true)
    expect(letter?.header.get(DEAD_LETTER_HEADERS.sequence)).toBe(String(seq))
  })
})

describe('the consumer', () => {
  it('takes packs that are larger than what it may hold, one at a time', async () => {
    const { site, ...options } = fresh()
    for (const from of [0, 5_000, 10_000]) await centre.publishReadings({ site, from }, readings(from, from + 4_999))
    const consumer = start({ ...options, site, maxBytes: 10_000 })
    await until(() => consumer.records.length === 15_000)
    expect(values(consumer)).toEqual(range(0, 14_999))
  })

  it('tells JetStream that it is still working, so that a slow handler gets a pack once', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 3))
    await centre.publishReadings({ site, from: 4 }, readings(4, 5))
    const began = performance.now()
    const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 400))
    const consumer = start({ ...options, site, ackWait: 600, handler: slow })
    await until(() => consumer.records.length === 6)
    await until(async () => (await durableInfo(options.durable)).num_ack_pending === 0)
    expect(performance.now() - began).toBeGreaterThan(2000)
    expect(values(consumer)).toEqual(range(0, 5))
    expect(consumer.contexts.some(({ redelivered }) => redelivered)).toBe(false)
    const info = await durableInfo(options.durable)
    expect(info.delivered.consumer_seq).toBe(2)
  })

  it('finishes the record under way when it is stopped, and gives the rest back at once', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    await centre.publishReadings({ site, from: 10 }, readings(10, 19))
    const positions = memoryPositions()
    let proceed: (() => void) | null = null
    const first = start({
      ...options,
      site,
      positions,
      handler: async ({ value }) => {
        if (value !== 6) return
        await new Promise<void>((resolve) => {
          proceed = resolve
        })
      },
    })
    await until(() => proceed !== null)
    const stopped = first.stop()
    ;(proceed as (() => void) | null)?.()
    await stopped
    expect(values(first)).toEqual(range(0, 6))
    const second = start({ ...options, site, positions })
    await until(() => second.records.length === 13)
    expect(values(second)).toEqual(range(7, 19))
    const [resumed, ...more] = second.reports
    expect(resumed).toMatchObject({ kind: 'resume', from: 0, to: 6 })
    // JetStream may give the second pack first; then the first one was fetched before it, and comes once more.
    expect(more.every((report) => report.kind === 'repeat' && report.redelivered)).toBe(true)
  })

  it('keeps the order, and loses nothing, when messages were handed out to a process that died', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 4))
    const first = start({ ...options, site, ackWait: 3_000 })
    await until(() => first.records.length === 5)
    await first.stop()
    for (const from of [5, 10, 15]) await centre.publishReadings({ site, from }, readings(from, from + 4))
    const dying = await centre.client.consumers.get(STREAMS.readings, options.durable)
    const taken = await dying.fetch({ max_messages: 2, expires: 2_000 })
    let got = 0
    for await (const _ of taken) if (++got === 2) break
    // Its packs come again only when their time is over; the one behind them comes first.
    const second = start({ ...options, site })
    await until(() => second.records.length >= 15)
    expect(values(second)).toEqual(range(5, 19))
    expect(second.kinds().filter((kind) => kind !== 'repeat')).toEqual([])
    await until(async () => (await durableInfo(options.durable)).num_ack_pending === 0)
    expect(second.kinds()).toEqual(['repeat', 'repeat'])
    expect(values(second)).toEqual(range(5, 19))
  })

  it('asks the stream what lies before a message only where the message does not say it', async () => {
    const { site, ...options } = fresh()
    let asked = 0
    const spy = centre.connection.subscribe(`$JS.API.STREAM.MSG.GET.${STREAMS.readings}`)
    const counting = (async () => {
      for await (const { data } of spy) if (Buffer.from(data).includes('next_by_subj')) asked++
    })()
    for (let from = 0; from < 30; from += 10)
      for (const gateway of ['a', 'b']) await centre.publishReadings({ site, gateway, from }, readings(from, from + 9))
    const consumer = start({ ...options, site })
    await until(() => consumer.records.length === 60)
    await centre.connection.flush()
    expect(asked).toBe(0)
    const pack = await centre.pack({ site, gateway: 'a', from: 30 }, readingsSubject(site, 'a'), [])
    await centre.client.publish(pack.subject, 'by hand')
    await centre.publishReadings({ site, gateway: 'a', from: 30 }, readings(30, 30))
    await until(() => consumer.records.length === 61)
    await centre.connection.flush()
    expect(asked).toBe(1)
    await spy.drain()
    await counting
  })

  it('stops when the handler says that only a person can help', async () => {
    const { site, ...options } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 3))
    const handler = ({ value }: { value: unknown }) => {
      if (value === 2) throw new OperatorError('TABLE_MISSING', 'create the table')
    }
    const consumer = start({ ...options, site, handler })
    await expect(consumer.over).rejects.toMatchObject({ code: 'TABLE_MISSING' })
    expect(values(consumer)).toEqual([0, 1])
  })

  it("uses a connection that stays the caller's", async () => {
    const { site, durable } = fresh()
    await centre.publishReadings({ site, from: 0 }, readings(0, 3))
    const consumer = start({ connection: centre.connection, durable, site })
    await until(() => consumer.records.length === 4)
    await consumer.stop()
    expect(centre.connection.isClosed()).toBe(false)
  })

  it('refuses a durable of the same name that reads something else', async () => {
    const { site, ...options } = fresh()
    const consumer = start({ ...options, site })
    await until(async () => (await durableInfo(options.durable).catch(() => null)) !== null)
    await consumer.stop()
    const other = start({ ...options, site: 'elsewhere' })
    await expect(other.over).rejects.toMatchObject({ code: 'CONSUMER_DIFFERS' })
  })

  it('refuses options that make no sense', async () => {
    const options = { servers: centre.server.url }
    await expect(start({ ...options, durable: 'a.b' }).over).rejects.toMatchObject({ code: 'CONSUMER_OPTIONS' })
    await expect(start({ ...options, durable: 'x', gateway: 'g' }).over).rejects.toThrow(/gateway: needs site/)
    await expect(start({ ...options, durable: 'x', concurrency: 0 }).over).rejects.toThrow(/concurrency/)
    await expect(
      start<'events'>({ ...options, durable: 'x', stream: 'events', site: 's', gateway: 'g' }).over,
    ).rejects.toThrow(/events/)
  })
})
