import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { redial } from '../../../sync/forward/redial.ts'
import type { CentralSession } from '../../../sync/link/index.ts'
import { pause, SimulatedClock, seededRandom } from '../../../sync/runtime/index.ts'

const RETRY = { min: 20, max: 400 }

/** A session that only knows whether it was closed. */
function sessionStub(): CentralSession & { closedHere: boolean } {
  const never = (): Promise<never> => Promise.reject(new Error('not asked for'))
  const stub = {
    closedHere: false,
    maxPayload: 1,
    append: never,
    head: never,
    nextFrom: never,
    facts: never,
    provision: never,
    closed: new Promise<null>(() => undefined),
    close: async () => {
      stub.closedHere = true
    },
  }
  return stub
}

describe('redial', () => {
  it('tries until a session stands, however often that fails, and leaves nothing behind', async () => {
    const clock = new SimulatedClock()
    const stop = new AbortController()
    const session = sessionStub()
    const listeners: number[] = []
    let attempts = 0
    const dialing = redial(
      {
        dial: async (signal) => {
          listeners.push(getEventListeners(signal, 'abort').length)
          if (++attempts < 200) throw new Error('refused')
          return session
        },
      },
      clock,
      seededRandom(1),
      RETRY,
      stop.signal,
      () => undefined,
    )
    await clock.runUntil(() => attempts === 200, 200 * 400)
    expect(await dialing).toBe(session)
    expect(Math.max(...listeners)).toBeLessThanOrEqual(2)
    expect(getEventListeners(stop.signal, 'abort').length).toBe(0)
  })

  it('overtakes a dial that hangs, and closes whatever comes of it later', async () => {
    const clock = new SimulatedClock()
    const stop = new AbortController()
    const [slow, fast] = [sessionStub(), sessionStub()]
    let attempts = 0
    const dialing = redial(
      {
        dial: async () => {
          if (++attempts > 1) return fast
          await pause(clock, 10_000)
          return slow
        },
      },
      clock,
      seededRandom(1),
      RETRY,
      stop.signal,
      () => undefined,
    )
    const start = clock.now()
    let found: CentralSession | null = null
    void dialing.then((session) => {
      found = session
    })
    await clock.runUntil(() => attempts === 2, 5000)
    expect(clock.now() - start).toBeLessThanOrEqual(1000)
    await clock.advance(20_000)
    expect(found).toBe(fast)
    expect([slow.closedHere, fast.closedHere]).toEqual([true, false])
  })

  it('ends without a session when it is stopped', async () => {
    const clock = new SimulatedClock()
    const stop = new AbortController()
    let attempts = 0
    const dialing = redial(
      {
        dial: async () => {
          attempts++
          throw new Error('refused')
        },
      },
      clock,
      seededRandom(1),
      RETRY,
      stop.signal,
      () => undefined,
    )
    await clock.advance(1000)
    stop.abort()
    expect(await dialing).toBeNull()
    expect(attempts).toBeGreaterThan(2)
  })
})
