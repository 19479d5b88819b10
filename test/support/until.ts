import { vi } from 'vitest'

/** Resolves when the condition holds; rejects with what is then the case when it does not within ten seconds. */
export async function until(condition: () => boolean, state: () => unknown = () => ''): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error(`the condition does not hold: ${JSON.stringify(state())}`)
    },
    { interval: 2, timeout: 10_000 },
  )
}
