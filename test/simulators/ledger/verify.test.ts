import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatVerdict,
  Ledger,
  type SeriesLedger,
  spoiledKey,
  type Verdict,
  verify,
} from '../../../simulators/ledger/index.ts'
import { shareOut } from '../../../simulators/ledger/verdict.ts'
import { type DeadLetter, HEADERS, type Reading } from '../../../sync/contract/index.ts'
import { type HandMadePack, memoryCentral, packMaker } from './packs.ts'

const RECEIVED = 1_700_000_000_000

const reading = (seq: number, more: Partial<Reading> = {}): Reading => ({
  device: 'd1',
  metric: 'temperature',
  value: seq / 10,
  received: RECEIVED,
  seq,
  session: 'run-0',
  ...more,
})

const letter = (topic: string, payload: string | Buffer): DeadLetter => ({
  code: 'PAYLOAD_NOT_JSON',
  reason: 'expected JSON',
  topic,
  client: 'c',
  received: RECEIVED,
  payload: Buffer.from(payload).toString('base64'),
})

/** A ledger of one device that sent 0..count-1 and got all acknowledged. */
function ledgerOf(count: number): { ledger: Ledger; series: SeriesLedger } {
  const ledger = new Ledger({ startedAt: RECEIVED - 1_000 })
  ledger.addRun('run')
  ledger.addTopic('sensors/d1/temperature', { device: 'd1', metric: 'temperature' })
  const series = ledger.series({ device: 'd1', metric: 'temperature', session: 'run-0' })
  for (let seq = 0; seq < count; seq++) series.attempt(seq, seq / 10)
  if (count > 0) series.acknowledge(0, count - 1)
  return { ledger, series }
}

const range = (from: number, to: number): Reading[] =>
  Array.from({ length: to - from + 1 }, (_, i) => reading(from + i))

async function judge(ledger: Ledger, packs: readonly HandMadePack[], strict = false): Promise<Verdict> {
  return verify(ledger, memoryCentral(packs), { strict })
}

const CLEAN = { lost: 0, evicted: 0, doubled: 0, reordered: 0, invented: 0 }

describe('a stream that holds exactly what was acknowledged', () => {
  it('is clean, plain or gzip, in many packs or one', async () => {
    const { ledger } = ledgerOf(100)
    const make = packMaker()
    const verdict = await judge(ledger, [
      make.readings(range(0, 0)),
      make.readings(range(1, 59), { gzip: true }),
      make.readings(range(60, 99)),
    ])
    expect(verdict).toMatchObject({ ok: true, exitCode: 0, findings: [] })
    expect(verdict.total).toEqual({ attempted: 100, acknowledged: 100, stored: 100, deadLettered: 0, ...CLEAN })
    expect(formatVerdict(verdict)).toContain('ok: nothing lost, doubled, reordered or invented')
  })

  it('may hold attempts that were not acknowledged, or not', async () => {
    const { ledger, series } = ledgerOf(5)
    for (const seq of [5, 6, 7]) series.attempt(seq, seq / 10)
    const make = packMaker()
    const verdict = await judge(ledger, [make.readings([...range(0, 4), reading(6)])])
    expect(verdict.ok).toBe(true)
    expect(verdict.total).toMatchObject({ attempted: 8, acknowledged: 5, stored: 6 })
  })

  it('is clean when nothing was ever sent and nothing is there', async () => {
    expect((await judge(ledgerOf(0).ledger, [])).ok).toBe(true)
  })
})

describe('lost', () => {
  it('is what was acknowledged and is nowhere', async () => {
    const { ledger } = ledgerOf(20)
    const verdict = await judge(ledger, [packMaker().readings([...range(0, 4), ...range(7, 18)])])
    expect(verdict).toMatchObject({ ok: false, exitCode: 1, total: { lost: 3, stored: 17 } })
    expect(verdict.findings.join()).toContain('d1 temperature run-0: seq 5-6, 19')
    expect(formatVerdict(verdict)).toContain('NOT OK')
  })

  it('is counted per device', async () => {
    const { ledger } = ledgerOf(3)
    const other = ledger.series({ device: 'd2', metric: 'temperature', session: 'run-0' })
    other.attempt(0, 0)
    other.acknowledge(0)
    const { devices } = await judge(ledger, [packMaker().readings(range(0, 2))])
    expect(devices.map(({ device, lost }) => [device, lost])).toEqual([
      ['d1', 0],
      ['d2', 1],
    ])
  })

  it('is not what the gateway declared evicted or damaged, up to their number', async () => {
    const { ledger } = ledgerOf(20)
    const make = packMaker()
    const packs = [
      make.readings(range(0, 9), { gaps: '10-12 evicted, 13-13 damaged', missing: 4 }),
      make.readings(range(14, 19)),
    ]
    const verdict = await judge(ledger, packs)
    expect(verdict).toMatchObject({ ok: true, total: { lost: 0, evicted: 4 } })
    expect(verdict.positions.readings.declared).toEqual({ evicted: 3, damaged: 1 })
    const worse = packMaker()
    const more = [worse.readings(range(0, 9), { gaps: '10-12 evicted', missing: 3 }), worse.readings(range(14, 19))]
    expect((await judge(ledger, more)).total).toMatchObject({ lost: 1, evicted: 3 })
  })

  it('is still lost when the gateway declared it stored elsewhere', async () => {
    const { ledger } = ledgerOf(4)
    const packs = [packMaker().readings(range(0, 2), { gaps: '3-3 repeated', missing: 1 })]
    expect((await judge(ledger, packs)).total).toMatchObject({ lost: 1, evicted: 0 })
  })

  it('is not what the other gateway has sent, and fences are no packs', async () => {
    const { ledger } = ledgerOf(6)
    const make = packMaker()
    const fence = { ...make.readings([], { headers: { [HEADERS.fence]: 'gw2' } }), headers: { [HEADERS.fence]: 'gw2' } }
    const packs = [
      make.readings(range(0, 2), { gaps: '3-3 repeated', missing: 1 }),
      make.readings(range(3, 4), { gateway: 'gw2' }),
      fence,
      make.readings(range(5, 5)),
    ]
    const verdict = await judge(ledger, packs)
    expect(verdict).toMatchObject({ ok: true, total: { lost: 0, evicted: 0, stored: 6 } })
    expect(verdict.positions.readings).toMatchObject({ repeated: 1, declared: {}, malformed: 0, origins: 2 })
    expect(formatVerdict(verdict)).toContain('1 repeated by two gateways')
  })

  it('is not what is among the dead letters', async () => {
    const { ledger } = ledgerOf(3)
    const make = packMaker()
    const payload = JSON.stringify({ value: 0.1, seq: 1, session: 'run-0', time: 9e15 })
    const packs = [
      make.readings([reading(0), reading(2)]),
      make.deadLetters([letter('sensors/d1/temperature', payload)]),
    ]
    expect(await judge(ledger, packs)).toMatchObject({ ok: true, total: { lost: 0, deadLettered: 1 } })
  })
})

describe('doubled', () => {
  it('is every copy after the first, in the same pack, another one, or another gateway’s', async () => {
    const { ledger } = ledgerOf(10)
    const make = packMaker()
    const packs = [
      make.readings([...range(0, 5), reading(5)]),
      make.readings([reading(2), ...range(6, 9)]),
      make.readings(range(8, 9), { gateway: 'gw2' }),
    ]
    const verdict = await judge(ledger, packs)
    expect(verdict.total).toMatchObject({ doubled: 4, lost: 0, reordered: 0, invented: 0, stored: 10 })
    expect(verdict.exitCode).toBe(1)
  })

  it('is not the same counter in another session', async () => {
    const { ledger } = ledgerOf(3)
    const next = ledger.series({ device: 'd1', metric: 'temperature', session: 'run-1' })
    for (const seq of [0, 1]) {
      next.attempt(seq, seq / 10)
      next.acknowledge(seq)
    }
    const packs = [packMaker().readings([...range(0, 2), ...range(0, 1).map((r) => ({ ...r, session: 'run-1' }))])]
    expect((await judge(ledger, packs)).ok).toBe(true)
  })
})

describe('reordered', () => {
  it('is what comes after a reading that was sent later, on the same gateway', async () => {
    const { ledger } = ledgerOf(6)
    const packs = [packMaker().readings([0, 1, 3, 2, 4, 5].map((seq) => reading(seq)))]
    expect((await judge(ledger, packs)).total).toMatchObject({ reordered: 1, lost: 0, doubled: 0 })
  })

  it('is not promised between two gateways', async () => {
    const { ledger } = ledgerOf(6)
    const make = packMaker()
    const packs = [
      make.readings(range(3, 5), { gateway: 'gw2' }),
      make.readings(range(0, 1), { gateway: 'gw1' }),
      make.readings([reading(2)], { gateway: 'gw1', epoch: 'e2' }),
    ]
    expect((await judge(ledger, packs)).ok).toBe(true)
  })

  it('goes by the order of sending for a device that sends out of order', async () => {
    const ledger = new Ledger({ startedAt: 0 })
    const series = ledger.series({ device: 'd1', metric: 'temperature', session: 'run-0' })
    ledger.addRun('run')
    for (const seq of [0, 2, 1, 3]) {
      series.attempt(seq, seq / 10)
      series.acknowledge(seq)
    }
    const sent = [0, 2, 1, 3].map((seq) => reading(seq))
    expect((await judge(ledger, [packMaker().readings(sent)])).ok).toBe(true)
    const sorted = [0, 1, 2, 3].map((seq) => reading(seq))
    expect((await judge(ledger, [packMaker().readings(sorted)])).total.reordered).toBe(1)
  })

  it('never accuses a gateway that stored first copies in the order of sending, nor acquits one that did not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 2, maxLength: 40 }),
        fc.nat(),
        fc.nat(),
        async (sent, first, second) => {
          const ledger = new Ledger({ startedAt: 0 })
          ledger.addRun('run')
          const series = ledger.series({ device: 'd1', metric: 'temperature', session: 'run-0' })
          for (const seq of sent) series.attempt(seq, seq / 10)
          const stored = sent.map((seq) => reading(seq))
          expect((await judge(ledger, [packMaker().readings(stored)])).total.reordered).toBe(0)
          const [a, b] = [first % sent.length, second % sent.length]
          const swapped = [...stored]
          swapped[a] = stored[b] ?? reading(0)
          swapped[b] = stored[a] ?? reading(0)
          const { reordered } = (await judge(ledger, [packMaker().readings(swapped)])).total
          expect(reordered > 0).toBe(a !== b)
        },
      ),
    )
  })
})

describe('invented', () => {
  const invented = async (wrong: Reading): Promise<number> => {
    const { ledger } = ledgerOf(3)
    return (await judge(ledger, [packMaker().readings([...range(0, 2), wrong])])).total.invented
  }

  it('is a counter that was never used', async () => expect(await invented(reading(3))).toBe(1))
  it('is a session that the device never had', async () =>
    expect(await invented(reading(3, { session: 'run-7' }))).toBe(1))
  it('is a metric that the device does not measure', async () =>
    expect(await invented(reading(0, { metric: 'pressure' }))).toBe(1))
  it('is a reading without its counter', async () => {
    const { seq: _, ...bare } = reading(1)
    expect(await invented(bare)).toBe(1)
  })

  it('is another value than the one that was sent, and then it is not lost as well', async () => {
    const { ledger } = ledgerOf(3)
    const packs = [packMaker().readings([reading(0), reading(1, { value: 0.11 }), reading(2)])]
    expect((await judge(ledger, packs)).total).toMatchObject({ invented: 1, lost: 0 })
  })

  it('is a dead letter that nobody published', async () => {
    const { ledger } = ledgerOf(3)
    const make = packMaker()
    const packs = [make.readings(range(0, 2)), make.deadLetters([letter('sensors/d1/temperature', '{"value":')])]
    expect((await judge(ledger, packs)).total.invented).toBe(1)
  })

  it('is not what other people publish, unless asked to be strict', async () => {
    const { ledger } = ledgerOf(3)
    const stranger = reading(0, { device: 'somebody' })
    const earlier = reading(9, { session: 'yesterday-0' })
    const packs = [packMaker().readings([...range(0, 2), stranger, earlier])]
    expect(await judge(ledger, packs)).toMatchObject({ ok: true, foreign: 2 })
    expect(await judge(ledger, packs, true)).toMatchObject({ ok: false, foreign: 1, total: { invented: 1 } })
  })

  it('cannot be said of what lies beyond the end of a ledger that was cut short', async () => {
    const { ledger } = ledgerOf(3)
    ledger.truncated = true
    const packs = [packMaker().readings([...range(0, 3), reading(0, { session: 'run-1' })])]
    const verdict = await judge(ledger, packs)
    expect(verdict).toMatchObject({ ok: true, unrecorded: 2, total: { invented: 0 } })
    expect(formatVerdict(verdict)).toContain('cut short')
  })
})

describe('readings without a counter', () => {
  it('are told apart by their timestamps where they have one', async () => {
    const ledger = new Ledger({ startedAt: RECEIVED - 1 })
    const series = ledger.timedSeries({ device: 'd1', metric: 'temperature' })
    for (const time of [1_000, 1_050, 1_100, 1_150]) {
      series.attempt(time, 20)
      series.acknowledge(time)
    }
    const timed = (time: number): Reading => ({
      device: 'd1',
      metric: 'temperature',
      value: 20,
      received: RECEIVED,
      time,
    })
    const verdict = await judge(ledger, [packMaker().readings([1_000, 1_100, 1_050, 1_050, 7].map(timed))])
    expect(verdict.total).toMatchObject({ lost: 1, doubled: 1, reordered: 1, invented: 1 })
  })

  it('are counted where they have none', async () => {
    const ledger = new Ledger({ startedAt: RECEIVED - 1 })
    ledger.count({ device: 'd1', metric: 'temperature' }, 5, 4)
    const bare: Reading = { device: 'd1', metric: 'temperature', value: 1, received: RECEIVED }
    const earlier = { ...bare, received: RECEIVED - 10 }
    const full = await judge(ledger, [packMaker().readings([bare, bare, bare, bare, earlier])])
    expect(full).toMatchObject({ ok: true, foreign: 1, total: { stored: 4, lost: 0 } })
    expect((await judge(ledger, [packMaker().readings([bare, bare, bare])])).total.lost).toBe(1)
  })
})

describe('spoiled payloads', () => {
  const spoil = (count: number): Ledger => {
    const { ledger } = ledgerOf(0)
    const topic = 'sensors/d1/temperature'
    for (let i = 0; i < count; i++) {
      ledger.countSpoiled({ device: 'd1', topic, key: spoiledKey(topic, Buffer.from('nan')) }, 1, 1)
    }
    return ledger
  }
  const nan = letter('sensors/d1/temperature', 'nan')

  it('have to be among the dead letters, as often as they were acknowledged', async () => {
    expect((await judge(spoil(2), [packMaker().deadLetters([nan, nan])])).ok).toBe(true)
    expect((await judge(spoil(2), [packMaker().deadLetters([nan])])).total).toMatchObject({ lost: 1, deadLettered: 1 })
    expect((await judge(spoil(1), [])).total.lost).toBe(1)
  })

  it('may be there once more, because nobody can tell a repeat', async () => {
    expect(await judge(spoil(1), [packMaker().deadLetters([nan, nan])])).toMatchObject({
      ok: true,
      repeatedDeadLetters: 1,
    })
  })

  it('must have kept every byte', async () => {
    const packs = [packMaker().deadLetters([letter('sensors/d1/temperature', 'naN')])]
    expect((await judge(spoil(1), packs)).total).toMatchObject({ lost: 1, invented: 1 })
  })
})

describe('positions', () => {
  const positions = async (packs: readonly HandMadePack[]): Promise<Verdict> => judge(ledgerOf(10).ledger, packs)

  it('finds a hole that nobody declared', async () => {
    const make = packMaker()
    const packs = [make.readings(range(0, 4)), make.readings(range(5, 6)), make.readings(range(7, 9))]
    const verdict = await positions(packs.filter((_, index) => index !== 1))
    expect(verdict.positions.readings).toMatchObject({ undeclared: 2, overlapping: 0, malformed: 0 })
    expect(verdict.total.lost).toBe(2)
  })

  it('finds offsets that were given out twice', async () => {
    const make = packMaker()
    const pack = make.readings(range(0, 4))
    const verdict = await positions([pack, pack, make.readings(range(5, 9))])
    expect(verdict.positions.readings).toMatchObject({ undeclared: 0, overlapping: 5 })
    expect(verdict.total.doubled).toBe(5)
  })

  it.each([
    ['a count that is not the number of lines', { [HEADERS.count]: '9' }],
    ['a span that does not fit the count', { [HEADERS.to]: '10' }],
    ['no epoch', { [HEADERS.epoch]: '' }],
    ['offsets that are no numbers', { [HEADERS.from]: 'zero' }],
    ['a gap outside of the pack', { [HEADERS.gaps]: '12-13 evicted' }],
    ['a gap without a reason', { [HEADERS.gaps]: '3-4' }],
    ['an encoding that it does not have', { [HEADERS.contentEncoding]: 'gzip' }],
  ])('finds a pack with %s', async (_what, headers) => {
    const verdict = await positions([packMaker().readings(range(0, 9), { headers })])
    expect(verdict.positions.readings.malformed).toBe(1)
    expect(verdict.exitCode).toBe(1)
  })

  it('finds a line that is not JSON, and still reads the others', async () => {
    const pack = packMaker().readings(range(0, 9))
    const body = Buffer.from(pack.body.toString().replace('"seq":4', '"seq":'))
    const verdict = await positions([{ ...pack, body }])
    expect(verdict.positions.readings.malformed).toBe(1)
    expect(verdict.findings.join()).toContain('line 5 of the body is no JSON object')
    expect(verdict.total.lost).toBe(1)
  })

  it('says what retention removed before the first pack, without complaining', async () => {
    const make = packMaker()
    const packs = [make.readings(range(0, 4)), make.readings(range(5, 9))]
    const verdict = await positions(packs.slice(1))
    expect(verdict.positions.readings).toMatchObject({ before: 5, undeclared: 0 })
  })
})

describe('shareOut', () => {
  it('gives nobody more than is missing, and all of it together', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.array(fc.nat(50), { maxLength: 20 }), (declared, missing) => {
        const parts = shareOut(declared, missing)
        const total = missing.reduce((sum, count) => sum + count, 0)
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(Math.min(declared, total))
        parts.forEach((part, index) => {
          expect(part).toBeGreaterThanOrEqual(0)
          expect(part).toBeLessThanOrEqual(missing[index] ?? 0)
        })
      }),
    )
  })
})
