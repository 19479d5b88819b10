import { createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { freePorts } from '../../../simulators/central/ports.ts'
import { type Random, seededRandom } from '../../../sync/runtime/index.ts'

it('gives distinct ports outside of the range for outgoing connections', async () => {
  const ports = await freePorts(20, seededRandom(1))
  expect(new Set(ports).size).toBe(20)
  for (const port of ports) expect(port >= 20_000 && port < 30_000).toBe(true)
})

it('passes over a port that is taken', async () => {
  const [taken = 0] = await freePorts(1, seededRandom(7))
  const server = createServer()
  onTestFinished(() => new Promise<void>((closed) => server.close(() => closed())))
  await new Promise<void>((listening) => server.listen(taken, '127.0.0.1', listening))
  expect(await freePorts(1, seededRandom(7))).not.toContain(taken)
})

it('gives up when all are taken', async () => {
  const stuck: Random = { next: () => 0.5, hex: () => '' }
  await expect(freePorts(2, stuck)).rejects.toMatchObject({ code: 'PORT_NONE_FREE' })
})
