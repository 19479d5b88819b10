import { describe, expect, it } from 'vitest'
import { failoverTimes } from '../../../simulators/site/failover-times.ts'

describe('how long a failover takes', () => {
  it('is not known when nothing moved', () => {
    const none = { p50: null, p99: null }
    expect(failoverTimes([])).toEqual({ ...none, moves: 0, afterNotice: none, connected: none })
  })

  it('is told for the half and for all but the worst hundredth, over all connections and kills', () => {
    const moves = Array.from({ length: 200 }, (_, i) => ({
      from: i % 2,
      to: 1 - (i % 2),
      afterKill: i + 1.4,
      afterNotice: i + 0.6,
      connected: i,
    }))
    expect(failoverTimes(moves)).toEqual({
      p50: 100,
      p99: 198,
      moves: 200,
      afterNotice: { p50: 100, p99: 198 },
      connected: { p50: 99, p99: 197 },
    })
  })
})
