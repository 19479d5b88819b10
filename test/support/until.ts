import { vi } from 'vitest'
import type { SimulatedClock } from '../../sync/runtime/index.ts'

/** Resolves when the condition holds; rejects with what is then the case when it does not within ten seconds. */
export async function until(condition: () => boolean, state: () => unknown = () => ''): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error(`the condition does not hold: ${JSON.stringify(state())}`)
    },
    { interval: 2, timeout: 10_000 },
  )
}

/** The same where simulated time has to pass, and a real disk or network has to keep up with it. */
export async function untilWith(
  clock: SimulatedClock,
  condition: () => boolean,
  state: () => unknown = () => '',
): Promise<void> {
  await vi.waitFor(
    async () => {
      await clock.advance(250)
      if (!condition()) throw new Error(`the condition does not hold: ${JSON.stringify(state())}`)
    },
    { interval: 2, timeout: 10_000 },
  )
}
