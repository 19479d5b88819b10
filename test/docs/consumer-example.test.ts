import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished, vi } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'
import { readings, TestCentre } from '../support/test-centre.ts'

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const EXAMPLE = path('docs/examples/consumer.ts')

it('the example has fifteen lines at most', async () => {
  expect((await readFile(EXAMPLE, 'utf8')).trimEnd().split('\n').length).toBeLessThanOrEqual(15)
})

it('the example is the one in the documentation', async () => {
  expect(await readFile(path('docs/consuming.md'), 'utf8')).toContain(await readFile(EXAMPLE, 'utf8'))
})

it('the example prints every reading once, also over a restart of itself', async () => {
  const centre = await TestCentre.start()
  onTestFinished(() => centre.stop())
  // What the package exports is built from this file; the example runs on the source as it is.
  const { exports } = JSON.parse(await readFile(path('package.json'), 'utf8')) as { exports: Record<string, string> }
  expect(exports['./sync']).toBe('./dist/sync/index.js')
  const tsconfig = join(await tempDir(), 'tsconfig.json')
  const paths = { 'tidegate/sync': [path('sync/index.ts')] }
  await writeFile(tsconfig, JSON.stringify({ compilerOptions: { paths, module: 'nodenext' } }))

  const run = () => {
    const child = spawn(process.execPath, ['--import', 'tsx', EXAMPLE], {
      env: { ...process.env, NATS_URL: centre.server.url, TSX_TSCONFIG_PATH: tsconfig },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    const lines = (): string[] => stdout.split('\n').slice(0, -1)
    const printed = (count: number) =>
      vi.waitFor(() => expect([lines().length, stderr]).toEqual([count, '']), { timeout: 15_000, interval: 20 })
    const stop = async () => {
      child.kill('SIGINT')
      const [exitCode, signal] = await once(child, 'exit')
      expect([exitCode, signal, stderr]).toEqual([0, null, ''])
    }
    return { lines, printed, stop }
  }

  await centre.publishReadings({ site: 'plant 1', from: 0 }, readings(0, 9))
  const first = run()
  await first.printed(10)
  expect(first.lines()[3]).toBe('2023-11-14T22:13:20.003Z plant 1 dev temperature 3 Cel 3')
  await centre.publishReadings({ site: 'plant 1', from: 10, gzip: true }, readings(10, 99))
  await first.printed(100)
  await first.stop()
  await centre.publishReadings({ site: 'plant 1', from: 100 }, readings(100, 104))
  const second = run()
  await second.printed(5)
  await second.stop()
  expect(second.lines().map((line) => line.split(' ').at(-1))).toEqual(['100', '101', '102', '103', '104'])
})
