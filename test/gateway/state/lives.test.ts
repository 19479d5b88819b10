import { describe, expect, it } from 'vitest'
import { Series } from '../../../gateway/state/series.ts'
import type { Reading } from '../../../sync/contract/index.ts'

const made = (extra: Partial<Reading>): Reading => ({ device: 'd', metric: 'm', value: 1, received: 0, ...extra })

/** A series, and the lives that its readings were written down with. */
function series() {
  let it: Series | null = null
  let offset = 0
  return {
    /** The device says this here. @returns which life it is taken for */
    say(extra: Partial<Reading>): number {
      const reading = made(extra)
      const life = it?.lifeOf(reading) ?? 1
      if (life > 1) reading.life = life
      if (it) it.apply(reading, offset++, 8)
      else it = Series.begin(reading, offset++, 8)
      return life
    },
    /** It has said it elsewhere. */
    hear(extra: Partial<Reading>): void {
      if (it) it.hear(made(extra), 8)
      else it = Series.begin(made(extra), offset, 8)
    },
    last: () => it?.last,
  }
}

const word = (session: string, seq: number, life?: number): Partial<Reading> =>
  life === undefined ? { session, seq } : { session, seq, life }

describe('the lives of a counter', () => {
  it('are numbered as they are heard, and keep their number', () => {
    const { say } = series()
    expect([say(word('x', 0)), say(word('x', 1)), say(word('y', 0)), say(word('y', 1)), say(word('z', 0))]).toEqual([
      1, 1, 2, 2, 3,
    ])
  })

  it('are numbered on from those that a peer has heard', () => {
    const { say, hear } = series()
    hear(word('x', 0))
    hear(word('y', 0, 2))
    expect(say(word('y', 1))).toBe(2)
    hear(word('z', 0, 5))
    expect(say(word('z', 1))).toBe(5)
    expect(say(word('new', 0))).toBe(6)
  })

  it('are overtaken by the one that goes on here', () => {
    const { say, hear } = series()
    expect(say(word('x', 0))).toBe(1)
    hear(word('y', 0, 3))
    expect(say(word('x', 1))).toBe(4)
    expect(say(word('x', 2))).toBe(4)
    // Both gateways have numbered one of their own, and the same.
    hear(word('z', 0, 4))
    expect(say(word('x', 3))).toBe(5)
  })

  it('are numbered on also when the one with the highest number is forgotten', () => {
    const { say, hear } = series()
    say(word('x', 0))
    hear(word('top', 0, 9))
    for (const session of ['a', 'b', 'c']) hear(word(session, 0, 2))
    expect(say(word('new', 0))).toBe(10)
  })

  it('without a session begin with 0 or 1', () => {
    const { say } = series()
    expect([say({ seq: 700 }), say({ seq: 701 }), say({ seq: 0 }), say({ seq: 1 })]).toEqual([1, 1, 2, 2])
  })

  it('are not asked where the device has a clock and no session', () => {
    const { say } = series()
    expect([say({ seq: 700, time: 1000 }), say({ seq: 0, time: 9000 }), say({ seq: 1, time: 9001 })]).toEqual([1, 1, 1])
  })

  it('tell what came last, whatever the clocks of gateways say', () => {
    const { say, hear, last } = series()
    say({ ...word('x', 0), received: 9000 })
    say({ ...word('y', 0), received: 100 })
    hear({ ...word('x', 1), received: 9001 })
    expect(last()).toMatchObject({ session: 'y' })
    hear({ ...word('z', 0, 3), received: 50 })
    expect(last()).toMatchObject({ session: 'z' })
  })
})
