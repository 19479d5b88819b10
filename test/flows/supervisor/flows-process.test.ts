import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { FlowsProcess, type FlowsStatus, type SupervisorSettings } from '../../../flows/supervisor/index.ts'
import { freePorts } from '../../../simulators/central/index.ts'
import { seededRandom, systemClock, systemRandom } from '../../../sync/runtime/index.ts'

const running: FlowsProcess[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()))
})

const QUICK: Partial<SupervisorSettings> = {
  startWithin: 300,
  probeEvery: 20,
  probeWithin: 200,
  stopWithin: 200,
  backoff: { min: 5, max: 10 },
  breaker: { failures: 3, cooldown: 3_600_000 },
}

async function start(
  script: string,
  settings: Partial<SupervisorSettings> = {},
): Promise<{ log: string[]; flows: FlowsProcess }> {
  const [port = 0] = await freePorts(1, systemRandom)
  const log: string[] = []
  const flows = new FlowsProcess({
    command: { program: process.execPath, args: ['-e', script, String(port)], cwd: '.', env: {} },
    target: { url: `http://127.0.0.1:${port}`, token: 't' },
    clock: systemClock,
    random: seededRandom(1),
    log: ({ level, text }) => void log.push(`${level} ${text}`),
    settings: { ...QUICK, ...settings },
  })
  running.push(flows)
  flows.start()
  return { log, flows }
}

const until = (flows: FlowsProcess, wanted: Partial<FlowsStatus>): Promise<void> =>
  expect.poll(() => flows.status(), { timeout: 8000, interval: 5 }).toMatchObject(wanted)

/** A program that answers like Node-RED. */
const ANSWERS = `
  require('node:http')
    .createServer((_, response) => response.end('{"flows":"started","reason":null}'))
    .listen(process.argv[1], '127.0.0.1')`

test('after too many failed starts in a row it is tried rarely, and that is said', async () => {
  const { flows, log } = await start('process.exit(3)')
  await until(flows, { process: 'waiting', failures: 3, breaker: 'open', lastFailure: 'it ended with code 3' })
  expect(log.at(-1)).toMatch(/starting it again in 3600.0 s \(it failed too often in a row/)
  expect(log.filter((line) => line.includes('starting it again'))).toHaveLength(3)
})

test('a program that cannot be started is a failure like any other', async () => {
  const flows = new FlowsProcess({
    command: { program: '/no/such/program', args: [], cwd: '.', env: {} },
    target: { url: 'http://127.0.0.1:1', token: '' },
    clock: systemClock,
    random: seededRandom(1),
    log: () => undefined,
    settings: QUICK,
  })
  running.push(flows)
  flows.start()
  await until(flows, { breaker: 'open', lastFailure: expect.stringContaining('ENOENT') })
})

test('one that starts and never answers is killed', async () => {
  const { flows } = await start('setInterval(() => {}, 1000)', { breaker: { failures: 1, cooldown: 3_600_000 } })
  await until(flows, { process: 'waiting', lastFailure: 'it did not answer within 0.3 s of its start' })
})

test('one that stayed up long enough starts anew with a clean slate', async () => {
  const script = `${ANSWERS}; setTimeout(() => process.exit(1), 150)`
  const { flows } = await start(script, {
    startWithin: 5000,
    steadyAfter: 50,
    breaker: { failures: 2, cooldown: 3_600_000 },
  })
  await until(flows, { failures: 4 })
  expect(flows.status().breaker).toBe('closed')
})

test('what it prints comes out as lines, with their level', async () => {
  const script = `${ANSWERS}
    console.log(JSON.stringify({ level: 'warn', text: 'from the handler' }))
    console.log('plain')
    console.error('trouble')
    process.stdout.write('x'.repeat(50000))`
  const { log } = await start(script, { startWithin: 5000 })
  await expect.poll(() => log).toEqual(expect.arrayContaining(['warn from the handler', 'info plain', 'warn trouble']))
  await expect.poll(() => log.some((line) => line.length === 'info '.length + 4000)).toBe(true)
})

test('one that does not end when asked is killed', async () => {
  const { flows } = await start(`${ANSWERS}; process.on('SIGTERM', () => {})`, { startWithin: 5000 })
  await until(flows, { process: 'up', flows: 'started' })
  const { pid } = flows.status()
  await flows.stop()
  expect(flows.status()).toMatchObject({ process: 'stopped', pid: null })
  expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
})

test('it does not outlive the process that started it, however that ends', async () => {
  const [port = 0] = await freePorts(1, systemRandom)
  const compiled = new URL('../../../dist/flows/supervisor/index.js', import.meta.url).href
  const runtime = new URL('../../../dist/sync/runtime/index.js', import.meta.url).href
  const script = `
    import { FlowsProcess } from ${JSON.stringify(compiled)}
    import { systemClock as clock, systemRandom as random } from ${JSON.stringify(runtime)}
    const target = { url: 'http://127.0.0.1:${port}', token: '' }
    const command = { program: process.execPath, args: ['-e', ${JSON.stringify(ANSWERS)}, '${port}'], cwd: '.', env: {} }
    const flows = new FlowsProcess({ command, target, clock, random, log() {} })
    flows.start()
    setInterval(() => flows.status().process === 'up' && console.log(flows.status().pid), 10)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number.parseInt(said.toString(), 10)
  expect(() => process.kill(pid, 0)).not.toThrow()
  parent.kill('SIGKILL')
  await expect.poll(() => alive(pid), { timeout: 8000 }).toBe(false)
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
