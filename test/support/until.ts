import { vi } from 'vitest'
import type { SimulatedClock } from '../../sync/runtime/index.ts'

/** Resolves when the condition holds, where simulated time has to pass for that and a real disk or network to keep up with it. */
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
