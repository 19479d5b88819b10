import { spawn } from 'node:child_process'
import { createConnection } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'
import { type CentralOptions, type CentralServer, startCentral } from '../../../simulators/central/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { createStream, messageCount, publish } from './support/stream.ts'

async function start(options: Omit<CentralOptions, 'dir'> = {}): Promise<CentralServer> {
  const server = await startCentral({ dir: await tempDir(), ...options })
  onTestFinished(() => server.kill())
  return server
}

it('serves JetStream, and keeps port and stream over kill -9, stop and restart', async () => {
  const server = await start({ syncInterval: 'always' })
  const { url, port, pid } = server
  await createStream([url], 1)
  expect(await publish([url], 'one')).toBe(1)

  await server.kill('SIGKILL')
  expect([server.running, server.pid]).toEqual([false, null])
  await server.restart()
  expect(server.pid).not.toBe(pid)
  expect(await publish([url], 'two')).toBe(2)

  await server.stop()
  expect(server.running).toBe(false)
  await server.restart()
  expect(server.port).toBe(port)
  expect(await messageCount([url])).toBe(2)
})

it('can be frozen and thawed, and stopped while frozen', async () => {
  const server = await start()
  await server.kill('SIGSTOP')
  await expect(server.waitReady(300)).rejects.toMatchObject({ code: 'CENTRAL_NOT_READY' })
  await server.kill('SIGCONT')
  await server.waitReady()
  await server.kill('SIGSTOP')
  await server.stop()
  expect(server.running).toBe(false)
})

it('listens for MQTT and leaf nodes when asked to', async () => {
  const server = await start({ mqtt: true, leafnodes: true })
  for (const port of [server.mqttPort, server.leafPort]) {
    await new Promise<void>((resolve, reject) => {
      const socket = createConnection({ port: port ?? 0, host: '127.0.0.1' }, () => resolve(void socket.destroy()))
      socket.once('error', reject)
    })
  }
  const plain = await start()
  expect([plain.mqttPort, plain.leafPort]).toEqual([null, null])
})

it('takes further configuration', async () => {
  const server = await start({ maxPayload: 4096, extraConfig: 'max_connections: 3' })
  const info = await new Promise<string>((resolve, reject) => {
    const socket = createConnection({ port: server.port, host: '127.0.0.1' })
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
    socket.once('error', reject)
  })
  expect(JSON.parse(info.slice('INFO '.length))).toMatchObject({ max_payload: 4096, jetstream: true })
})

it.each([
  ['foo: [', 'Parse error'],
  ['jetstream { store_dir: "/dev/null" }', "Can't start JetStream"],
])('says why it did not start: %s', async (extraConfig, reason) => {
  await expect(start({ extraConfig })).rejects.toMatchObject({
    code: 'CENTRAL_START_FAILED',
    message: expect.stringContaining(reason),
  })
})

it('does not take another server on the same port for itself', async () => {
  const { port } = await start()
  await expect(start({ port })).rejects.toMatchObject({
    code: 'CENTRAL_START_FAILED',
    message: expect.stringContaining('address already in use'),
  })
})

it('is not left behind when the process that started it is killed', async () => {
  const script = fileURLToPath(new URL('support/starter.ts', import.meta.url))
  const starter = spawn(process.execPath, ['--import', 'tsx', script, await tempDir()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void starter.kill('SIGKILL'))
  const pid = await new Promise<number>((resolve) => starter.stdout.once('data', (data) => resolve(Number(data))))
  expect(alive(pid)).toBe(true)
  starter.kill('SIGKILL')
  await vi.waitFor(() => expect(alive(pid)).toBe(false), { timeout: 10_000 })
})

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
