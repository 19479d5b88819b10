import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Clock, pause, SimulatedClock, seededRandom, systemClock } from '../../../sync/runtime/index.ts'

/** Both clocks; `pass` lets so much time go by. */
const clocks: [string, () => { clock: Clock; pass: (duration: number) => Promise<void> }][] = [
  [
    'systemClock',
    () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
      onTestFinished(() => {
        vi.useRealTimers()
      })
      return {
        clock: systemClock,
        pass: async (duration) => {
          await vi.advanceTimersByTimeAsync(duration)
        },
      }
    },
  ],
  [
    'SimulatedClock',
    () => {
      const clock = new SimulatedClock()
      return { clock, pass: (duration) => clock.advance(duration) }
    },
  ],
]

describe.each(clocks)('%s', (_, make) => {
  it('goes on evenly, wall clock and monotonic clock alike', async () => {
    const { clock, pass } = make()
    const [now, monotonic] = [clock.now(), clock.monotonic()]
    await pass(1500)
    expect(clock.now() - now).toBe(1500)
    expect(clock.monotonic() - monotonic).toBeCloseTo(1500, 3)
  })

  it('calls back once, at its time, in the order of the times', async () => {
    const { clock, pass } = make()
    const called: string[] = []
    clock.after(300, () => called.push('c'))
    clock.after(100, () => called.push('a'))
    clock.after(200, () => called.push('b'))
    await pass(99)
    expect(called).toEqual([])
    await pass(1)
    expect(called).toEqual(['a'])
    await pass(1000)
    expect(called).toEqual(['a', 'b', 'c'])
  })

  it('does not call back what was cancelled', async () => {
    const { clock, pass } = make()
    let called = 0
    const cancel = clock.after(100, () => called++)
    cancel()
    cancel()
    await pass(200)
    expect(called).toBe(0)
  })

  it('lets a timer set another', async () => {
    const { clock, pass } = make()
    const times: number[] = []
    const start = clock.now()
    const again = (): void => {
      times.push(clock.now() - start)
      if (times.length < 3) clock.after(50, again)
    }
    clock.after(50, again)
    await pass(1000)
    expect(times).toEqual([50, 100, 150])
  })

  it('does not fire at once what lies further ahead than timers reach', async () => {
    const { clock, pass } = make()
    let called = 0
    const cancel = clock.after(2 ** 40, () => called++)
    await pass(1000)
    expect(called).toBe(0)
    cancel()
  })

  it('pauses for as long as asked, or until aborted, and leaves nothing behind', async () => {
    const { clock, pass } = make()
    const start = clock.now()
    const abort = new AbortController()
    const ended: [string, number][] = []
    const note = (name: string) => (): void => void ended.push([name, clock.now() - start])
    void pause(clock, 0).then(note('none'))
    void pause(clock, -5).then(note('negative'))
    void pause(clock, 200, abort.signal).then(note('full'))
    void pause(clock, 10_000, abort.signal).then(note('aborted'))
    await pass(500)
    abort.abort()
    await pass(1)
    void pause(clock, 100, abort.signal).then(note('at once'))
    await pass(1)
    expect(ended).toEqual([
      ['none', 0],
      ['negative', 0],
      ['full', 200],
      ['aborted', 500],
      ['at once', 501],
    ])
  })
})

describe('SimulatedClock', () => {
  it('runs until a condition holds, however far away', async () => {
    const clock = new SimulatedClock(0)
    let done = false
    clock.after(3_600_000, () => {
      done = true
    })
    await clock.runUntil(() => done, 10_000_000)
    expect(clock.now()).toBe(3_600_000)
  })

  it('says when the condition does not come true in time', async () => {
    const clock = new SimulatedClock(0)
    clock.after(100, () => {})
    await expect(clock.runUntil(() => false, 1000)).rejects.toThrow('does not hold after 1000 ms')
  })

  it('never goes back, even when it is moved from two places', async () => {
    const clock = new SimulatedClock(0)
    await Promise.all([clock.advance(1000), clock.advance(10)])
    expect(clock.now()).toBe(1000)
  })

  it('gives everything that is ready its turn before time goes on', async () => {
    const clock = new SimulatedClock(0)
    const seen: number[] = []
    const work = (async () => {
      for (let n = 0; n < 3; n++) {
        await pause(clock, 100)
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(clock.now())
      }
    })()
    await clock.advance(300)
    await work
    expect(seen).toEqual([100, 200, 300])
  })
})

describe('seededRandom', () => {
  it('repeats itself from its seed, and spreads evenly', () => {
    const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)]
    const draw = (random: typeof a): number[] => Array.from({ length: 1000 }, () => random.next())
    const first = draw(a)
    expect(draw(b)).toEqual(first)
    expect(draw(c)).not.toEqual(first)
    expect(first.every((value) => value >= 0 && value < 1)).toBe(true)
    expect(first.reduce((sum, value) => sum + value, 0) / 1000).toBeCloseTo(0.5, 1)
    expect(a.hex(8)).toMatch(/^[0-9a-f]{16}$/)
  })
})
