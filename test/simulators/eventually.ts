import { expect } from 'vitest'

/** Waits until a condition holds, as long as a busy machine may need. Give the result a matcher, and await it. */
export const eventually = <T>(read: () => T): ReturnType<typeof expect.poll<T>> =>
  expect.poll(read, { timeout: 20_000, interval: 5 })
