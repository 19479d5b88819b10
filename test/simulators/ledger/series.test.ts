import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ledger, type SeriesLedger } from '../../../simulators/ledger/index.ts'

const newSeries = (): SeriesLedger => new Ledger({ startedAt: 0 }).series({ device: 'd', metric: 'm', session: 's' })

describe('SeriesLedger', () => {
  it('orders readings by their first attempt, whatever their counters say', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 1_000 }), { maxLength: 80 }), (keys) => {
        const series = newSeries()
        for (const key of keys) {
          series.attempt(key, 1)
          // A repeat does not move it.
          series.attempt(key, 1)
        }
        const byPosition = [...keys].sort((a, b) => series.sendPosition(a) - series.sendPosition(b))
        expect(byPosition).toEqual(keys)
      }),
    )
  })

  it('keeps the order of late readings beside keys as large as timestamps', () => {
    const series = newSeries()
    const keys = [1_700_000_000_100, 1_700_000_000_050, 1_700_000_000_020, 1_700_000_000_101, 1_700_000_000_060]
    for (const key of keys) series.attempt(key, 1)
    expect([...keys].sort((a, b) => series.sendPosition(a) - series.sendPosition(b))).toEqual(keys)
  })

  it('never puts a late reading after one that was sent later, however many are late', () => {
    const series = newSeries()
    series.attempt(5_000, 1)
    for (let key = 0; key < 5_000; key++) series.attempt(key, 1)
    series.attempt(5_001, 1)
    for (let key = 0; key < 4_999; key++) {
      expect(series.sendPosition(key)).toBeLessThanOrEqual(series.sendPosition(key + 1))
    }
    expect(series.sendPosition(4_999)).toBeLessThan(series.sendPosition(5_001))
  })

  it('notices another value than the one that was sent', () => {
    const series = newSeries()
    series.attempt(0, 21.5)
    series.attempt(1, true)
    series.attempt(2, 'on')
    series.attempt(3, 0)
    series.attemptRange(10, 12)
    expect([series.matches(0, 21.5), series.matches(1, true), series.matches(2, 'on')]).toEqual([true, true, true])
    expect([
      series.matches(0, 21.6),
      series.matches(0, '21.5'),
      series.matches(1, false),
      series.matches(2, 'off'),
    ]).toEqual([false, false, false, false])
    expect(series.matches(3, -0)).toBe(true)
    expect(series.matches(11, 'anything: the value of a range is not recorded')).toBe(true)
  })

  it('refuses an acknowledgement of what was never attempted', () => {
    const series = newSeries()
    series.attempt(1, 1)
    expect(() => series.acknowledge(2)).toThrow(expect.objectContaining({ code: 'LEDGER_ACK_UNKNOWN' }))
    expect(() => series.attemptRange(1, 5)).toThrow(expect.objectContaining({ code: 'LEDGER_RANGE_NOT_NEW' }))
  })
})
