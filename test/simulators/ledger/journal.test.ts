import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Ledger, LedgerJournal, loadLedger } from '../../../simulators/ledger/index.ts'
import { eventually } from '../eventually.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ledger-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const fresh = (() => {
  let count = 0
  return () => join(dir, `ledger-${count++}`)
})()

type Step =
  | { do: 'attempt'; series: number; key: number; value: number }
  | { do: 'ack'; series: number; key: number }
  | { do: 'flush' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('attempt' as const),
    series: fc.integer({ min: 0, max: 2 }),
    key: fc.integer({ min: 0, max: 40 }),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  }),
  fc.record({
    do: fc.constant('ack' as const),
    series: fc.integer({ min: 0, max: 2 }),
    key: fc.integer({ min: 0, max: 40 }),
  }),
  fc.record({ do: fc.constant('flush' as const) }),
)

/** Everything a verdict depends on. */
function contents(ledger: Ledger): unknown {
  return {
    startedAt: ledger.startedAt,
    runs: [...ledger.runs],
    topics: [...ledger.topics],
    spoiled: [...ledger.spoiledEntries],
    counted: [...ledger.allCounted()],
    series: [...ledger.allSeries()].map((series) => ({
      name: [series.key, series.device, series.metric, series.session],
      attempted: [...series.attempted.intervals()],
      acknowledged: [...series.acknowledged.intervals()],
      order: [...series.attempted.intervals()].flatMap(({ from, to }) =>
        Array.from({ length: to - from + 1 }, (_, i) => series.sendPosition(from + i)),
      ),
    })),
  }
}

describe('the ledger file', () => {
  it('gives back the ledger that was written, whatever was recorded in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const path = fresh()
        const { ledger, journal } = LedgerJournal.create({ path })
        const series = [0, 1, 2].map((index) => ledger.series({ device: `d${index}`, metric: 'm', session: 'r-0' }))
        for (const action of steps) {
          if (action.do === 'flush') journal.flush()
          else if (action.do === 'attempt') series[action.series]?.attempt(action.key, action.value)
          else if (series[action.series]?.attempted.has(action.key)) series[action.series]?.acknowledge(action.key)
        }
        journal.close()
        const loaded = await loadLedger([path])
        expect(loaded.truncated).toBe(false)
        expect(contents(loaded)).toEqual(contents(ledger))
        for (const action of steps) {
          if (action.do !== 'attempt') continue
          const again = loaded.series({ device: `d${action.series}`, metric: 'm', session: 'r-0' })
          expect(again.matches(action.key, action.value)).toBe(series[action.series]?.matches(action.key, action.value))
        }
      }),
      { numRuns: 50 },
    )
  })

  it('keeps runs, topics, ranges, counts, timestamps and spoiled payloads too', async () => {
    const path = fresh()
    const { ledger, journal } = LedgerJournal.create({ path })
    ledger.addRun('run1')
    ledger.addTopic('sensors/d/m', { device: 'd', metric: 'm' })
    ledger.addTopic('sensors/e', { device: 'e' })
    ledger.count({ device: 'd', metric: 'bare' }, 3, 0)
    ledger.count({ device: 'd', metric: 'bare' }, 0, 2)
    ledger.countSpoiled({ device: 'd', topic: 'sensors/d/m', key: 'k' }, 1, 1)
    const timed = ledger.timedSeries({ device: 'e', metric: 'm' })
    timed.attempt(1_700_000_000_000, 1)
    timed.acknowledge(1_700_000_000_000)
    const load = ledger.series({ device: 'load', metric: 'm', session: 'run1' })
    load.attemptRange(1_000_000_000, 1_000_000_999)
    load.acknowledge(1_000_000_000, 1_000_000_899)
    journal.close()
    const loaded = await loadLedger([path])
    expect(contents(loaded)).toEqual(contents(ledger))
    expect(loaded.totals()).toEqual(ledger.totals())
    expect(ledger.totals()).toEqual({ attempted: 1_005, acknowledged: 904 })
  })

  it('is written without anyone closing it, so that a killed writer leaves nearly all of it', async () => {
    const path = fresh()
    const { ledger, journal } = LedgerJournal.create({ path, flushEvery: 5 })
    const series = ledger.series({ device: 'd', metric: 'm', session: 'r-0' })
    for (let seq = 0; seq < 100; seq++) series.attempt(seq, seq)
    series.acknowledge(0, 79)
    await eventually(() => readFileSync(path, 'utf8')).toContain('["acked",0,0,79]')
    const loaded = await loadLedger([path])
    expect(loaded.truncated).toBe(true)
    expect(loaded.totals()).toEqual({ attempted: 100, acknowledged: 80 })
    journal.close()
    expect((await loadLedger([path])).truncated).toBe(false)
  })

  it('is read up to the last whole line when the writer was cut off in the middle of one, at any byte', async () => {
    const path = fresh()
    const { ledger, journal } = LedgerJournal.create({ path })
    const series = ledger.series({ device: 'd', metric: 'm', session: 'r-0' })
    for (let seq = 0; seq < 20; seq++) {
      series.attempt(seq, seq)
      series.acknowledge(seq)
      journal.flush()
    }
    journal.close()
    const whole = readFileSync(path)
    const firstLine = whole.indexOf('\n') + 1
    for (let length = whole.length - 1; length >= firstLine; length--) {
      truncateSync(path, length)
      const loaded = await loadLedger([path])
      expect(loaded.truncated).toBe(true)
      const { attempted, acknowledged } = loaded.totals()
      expect(attempted - acknowledged === 0 || attempted - acknowledged === 1).toBe(true)
    }
  })

  it('of several processes are one ledger together, however they numbered their series', async () => {
    const paths = [fresh(), fresh()]
    paths.forEach((path, index) => {
      const { ledger, journal } = LedgerJournal.create({ path })
      ledger.addRun(`run${index}`)
      ledger.series({ device: `d${index}`, metric: 'm', session: '' }).attempt(index, 1)
      journal.close()
    })
    const loaded = await loadLedger(paths)
    expect([...loaded.allSeries()].map(({ device, attempted }) => [device, attempted.max])).toEqual([
      ['d0', 0],
      ['d1', 1],
    ])
    expect([...loaded.runs]).toEqual(['run0', 'run1'])
  })

  it('says which line is damaged', async () => {
    const path = fresh()
    writeFileSync(path, '["ledger",1,0]\n["acked",7,0,1]\n')
    await expect(loadLedger([path])).rejects.toThrow(/line 2 of .*is not a line of a ledger/)
    writeFileSync(path, '')
    await expect(loadLedger([path])).rejects.toMatchObject({ code: 'LEDGER_FILE_DAMAGED' })
    await expect(loadLedger([join(dir, 'none')])).rejects.toMatchObject({ code: 'LEDGER_FILE_UNREADABLE' })
  })

  it('is never written over', () => {
    const path = fresh()
    LedgerJournal.create({ path }).journal.close()
    expect(() => LedgerJournal.create({ path })).toThrow(expect.objectContaining({ code: 'LEDGER_FILE_FAILED' }))
  })

  it('takes nothing more once it is closed', () => {
    const { ledger, journal } = LedgerJournal.create({ path: fresh() })
    journal.close()
    expect(() => ledger.addRun('late')).toThrow(expect.objectContaining({ code: 'LEDGER_CLOSED' }))
  })
})
