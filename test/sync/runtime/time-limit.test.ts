import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { SimulatedClock, systemClock, withTimeLimit } from '../../../sync/runtime/index.ts'

const never = new AbortController().signal

/** Ends when its signal aborts, with the reason. */
const endless = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

test('work that ends in time gives its result, and leaves no timer behind', async () => {
  const clock = new SimulatedClock()
  let told: AbortSignal | undefined
  const work = withTimeLimit(clock, 1000, never, async (signal) => {
    told = signal
    return 7
  })
  expect(await work).toBe(7)
  await clock.advance(2000)
  expect(told?.aborted).toBe(false)
})

test('work that takes too long is told so', async () => {
  const clock = new SimulatedClock()
  const refused = expect(withTimeLimit(clock, 1000, never, endless)).rejects.toThrow('it took longer than 1 s')
  await clock.advance(1000)
  await refused
})

test('whoever asks for the work can end it earlier', async () => {
  const asked = new AbortController()
  const work = withTimeLimit(new SimulatedClock(), 1000, asked.signal, endless)
  asked.abort(new Error('enough'))
  await expect(work).rejects.toThrow('enough')
})

test('the limit holds while garbage is collected', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const silent = createServer(() => {})
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const collecting = setInterval(collect, 10)
  try {
    const work = withTimeLimit(systemClock, 300, never, (signal) => fetch(`http://127.0.0.1:${port}`, { signal }))
    await expect(work).rejects.toThrow('it took longer than 0.3 s')
  } finally {
    clearInterval(collecting)
    silent.closeAllConnections()
    silent.close()
  }
})
