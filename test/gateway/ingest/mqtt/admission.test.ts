import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Admission, type AdmissionLimits } from '../../../../gateway/ingest/mqtt/admission.ts'
import type { Clock } from '../../../../sync/runtime/index.ts'
import { PATIENCE } from './support/raw-client.ts'

const unlimited: AdmissionLimits = { maxConnections: 1000, maxConnectionsPerAddress: 1000, maxConnectionRate: 0 }

/** Real sockets into an admission whose clock the test owns. */
async function setUp(limits: Partial<AdmissionLimits>, host = '127.0.0.1') {
  let now = 0
  const clock: Clock = { now: () => now, monotonic: () => now, after: () => () => undefined, soon: setImmediate }
  const counts = new Map<string, number>()
  const increment = (name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const admission = new Admission({ ...unlimited, ...limits }, clock, { increment })
  const answers: boolean[] = []
  const server = createServer((socket) => answers.push(admission.admit(socket)))
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const open = async (localAddress = '127.0.0.1'): Promise<boolean> => {
    const before = answers.length
    const socket = connect({ host: '127.0.0.1', port, localAddress })
    socket.on('error', () => socket.destroy())
    sockets.push(socket)
    await expect.poll(() => answers.length, PATIENCE).toBe(before + 1)
    return answers[before] ?? false
  }
  return { admission, open, counts, sockets, pass: (millis: number) => (now += millis) }
}

test('the rate is a second’s worth at once, then so many a second', async () => {
  const { open, pass, counts } = await setUp({ maxConnectionRate: 2 })
  expect([await open(), await open(), await open()]).toEqual([true, true, false])
  pass(500)
  expect([await open(), await open()]).toEqual([true, false])
  pass(3_600_000)
  expect([await open(), await open(), await open()]).toEqual([true, true, false])
  expect(counts.get('connections.refused.rate')).toBe(3)
})

test('an address gives its place back when its socket closes', async () => {
  const { admission, open, sockets } = await setUp({ maxConnectionsPerAddress: 1 })
  expect(await open()).toBe(true)
  expect(await open()).toBe(false)
  expect(await open('127.0.0.2')).toBe(true)
  sockets[0]?.destroy()
  await expect.poll(() => admission.size, PATIENCE).toBe(1)
  expect(await open()).toBe(true)
})

test('on a dual-stack listener an IPv4 peer is the same address', async () => {
  const { open } = await setUp({ maxConnectionsPerAddress: 1 }, '::')
  expect([await open(), await open()]).toEqual([true, false])
})

test('cutting all resolves when all are closed, also when there are none', async () => {
  const { admission, open, counts } = await setUp({})
  await admission.cutAll()
  await open()
  await open()
  await admission.cutAll()
  expect(admission.size).toBe(0)
  expect(counts.get('connections.closed')).toBe(2)
})
