import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger, verify } from '../../../simulators/ledger/index.ts'
import { type LoadOptions, recordLoad, runLoad } from '../../../simulators/load/index.ts'
import type { Reading } from '../../../sync/contract/index.ts'
import { TestBroker } from '../fleet/broker.ts'
import { memoryCentral, packMaker } from '../ledger/packs.ts'

let broker: TestBroker
beforeEach(async () => {
  broker = await TestBroker.start()
})
afterEach(() => broker.kill())

const options = (more: Partial<LoadOptions>): LoadOptions => ({
  servers: [{ host: '127.0.0.1', port: broker.port }],
  connections: 5,
  inFlight: 10,
  ...more,
})

/** What arrived, first copies only. */
function stored(): Reading[] {
  const readings = new Map<string, Reading>()
  for (const { topic, payload } of broker.arrivals) {
    const { device, seq, session, value } = JSON.parse(payload.toString())
    const metric = topic.split('/')[2] ?? ''
    const key = `${device} ${seq}`
    if (!readings.has(key)) readings.set(key, { device, metric, value, seq, session, received: Date.now() })
  }
  return [...readings.values()]
}

describe('the load generator', () => {
  it('publishes a number of readings on every connection, and says what was acknowledged', async () => {
    const progress: number[] = []
    const result = await runLoad(
      options({ count: 400, workers: 2, onProgress: ({ acknowledged }) => progress.push(acknowledged) }),
    )
    expect(result).toMatchObject({ sent: 2_000, acknowledged: 2_000, disconnects: 0 })
    expect(result.acksPerSecond).toBeGreaterThan(0)
    expect(result.latency.p50).toBeGreaterThan(0)
    expect(result.latency.p50).toBeLessThanOrEqual(result.latency.p99)
    expect(result.latency.p99).toBeLessThanOrEqual(result.latency.max)
    expect(progress.at(-1)).toBe(2_000)
    expect(broker.arrivals.length).toBe(2_000)
    expect(broker.arrivals.every(({ qos }) => qos === 1)).toBe(true)
    expect(new Set(broker.arrivals.map(({ topic }) => topic)).size).toBe(5)
  })

  it('makes a ledger that the readings it sent satisfy, and nothing less', async () => {
    const result = await runLoad(options({ count: 100 }))
    const ledger = new Ledger({ startedAt: 0 })
    recordLoad(ledger, result)
    const readings = stored()
    expect(await verify(ledger, memoryCentral([packMaker().readings(readings)]))).toMatchObject({
      ok: true,
      total: { attempted: 500, acknowledged: 500, stored: 500 },
    })
    const fewer = memoryCentral([packMaker().readings(readings.slice(0, -1))])
    expect((await verify(ledger, fewer)).total.lost).toBe(1)
  })

  it('makes no ledger of readings that carry no counter of their own', async () => {
    for (const uncounted of [{ form: 'senml' }, { form: 'flat' }, { form: 'number' }, { series: 2 }] as const) {
      const result = await runLoad(options({ count: 20, ...uncounted }))
      expect(result).toMatchObject({ sent: 100, acknowledged: 100, counted: false })
      expect(() => recordLoad(new Ledger({ startedAt: 0 }), result)).toThrow(
        expect.objectContaining({ code: 'LOAD_NOT_COUNTED' }),
      )
    }
    const topics = new Set(broker.arrivals.map(({ topic }) => topic.replace(/\d/g, '0')))
    expect([...topics].sort()).toEqual([
      'sensors/load-0000',
      'sensors/load-0000/temperature',
      'sensors/load-0000/temperature000',
    ])
  })

  it('connects a few at a time, however many there are', async () => {
    const result = await runLoad(options({ connections: 300, inFlight: 1, count: 2 }))
    expect(result).toMatchObject({ sent: 600, acknowledged: 600, disconnects: 0 })
    expect(result.devices.length).toBe(300)
  })

  it('keeps to a rate', async () => {
    const begin = performance.now()
    const result = await runLoad(options({ rate: 1_000, duration: 1_500 }))
    expect(result.sent).toBeGreaterThan(1_000)
    // One a millisecond; the machine may have been late to stop it.
    expect(result.sent).toBeLessThanOrEqual(performance.now() - begin)
    expect(result.acknowledged).toBe(result.sent)
    const each = result.devices.map(({ sent }) => sent)
    expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(2)
  })

  it('stops when its time is over, without leaving anything in flight, and measures after the warm-up', async () => {
    const result = await runLoad(options({ duration: 600, warmUp: 300 }))
    expect(result.acknowledged).toBe(result.sent)
    expect(broker.arrivals.length).toBe(result.sent)
    expect(result.acksPerSecond).toBeGreaterThan(0)
  })

  it('stops when its signal aborts', async () => {
    const abort = new AbortController()
    const result = await runLoad(
      options({
        duration: 60_000,
        signal: abort.signal,
        onProgress: ({ acknowledged }) => {
          if (acknowledged > 0) abort.abort()
        },
      }),
    )
    expect(result.acknowledged).toBe(result.sent)
  })

  it('repeats what was in flight when a connection dies, and loses nothing', async () => {
    let deaths = 0
    let restarted: Promise<void> = Promise.resolve()
    const restart = async (): Promise<void> => {
      // It dies with something in flight: on a fast machine that would be chance.
      const { length } = broker.arrivals
      broker.refuseAcks = true
      await expect.poll(() => broker.arrivals.length).toBeGreaterThan(length)
      await broker.kill()
      broker.refuseAcks = false
      await broker.start()
    }
    const result = await runLoad(
      options({
        count: 3_000,
        rate: 10_000,
        onProgress: ({ acknowledged }) => {
          if (deaths >= 2 || acknowledged < (deaths + 1) * 3_000) return
          deaths++
          restarted = restarted.then(restart)
        },
      }),
    )
    await restarted
    expect(deaths).toBe(2)
    expect(result).toMatchObject({ sent: 15_000, acknowledged: 15_000 })
    expect(result.disconnects).toBeGreaterThanOrEqual(10)
    const readings = stored()
    expect(readings.length).toBe(15_000)
    // [MQTT-3.3.1-1]: whatever goes out again says so.
    const seen = new Set<string>()
    for (const { payload, dup } of broker.arrivals) {
      const { device, seq } = JSON.parse(payload.toString())
      expect(seen.has(`${device} ${seq}`) && !dup).toBe(false)
      seen.add(`${device} ${seq}`)
    }
    expect(broker.arrivals.some(({ dup }) => dup)).toBe(true)
    const ledger = new Ledger({ startedAt: 0 })
    recordLoad(ledger, result)
    expect((await verify(ledger, memoryCentral([packMaker().readings(readings)]))).ok).toBe(true)
  })

  it('says that it was refused, or that nobody is there', async () => {
    await expect(runLoad(options({ count: 1, connections: 0 }))).rejects.toMatchObject({ code: 'LOAD_OPTIONS_INVALID' })
    await expect(runLoad(options({}))).rejects.toMatchObject({ code: 'LOAD_OPTIONS_INVALID' })
    const inTopic = options({ count: 1, form: 'flat', series: 2 })
    await expect(runLoad(inTopic)).rejects.toMatchObject({ code: 'LOAD_OPTIONS_INVALID' })
    await broker.kill()
    const nobody = runLoad(options({ count: 1, connectWithin: 300 }))
    await expect(nobody).rejects.toMatchObject({ code: 'LOAD_NOT_CONNECTED' })
  })
})
