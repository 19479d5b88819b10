import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { runCommandLine } from '../../../gateway/cli/cli.ts'
import { COMMANDS } from '../../../gateway/cli/commands/index.ts'
import { Table } from '../../../gateway/cli/tail/table.ts'
import { encodeLine } from '../../../sync/contract/index.ts'
import { systemClock } from '../../../sync/runtime/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { reading, readings, TestCentre } from '../../support/test-centre.ts'
import { runIn } from './support/context.ts'

let centre: TestCentre
let tests = 0

beforeAll(async () => {
  centre = await TestCentre.start()
})
afterAll(() => centre?.stop())

const freshSite = (): string => `site ${++tests}`

/** `tidegate tail` beside the test. */
function tail(args: readonly string[], { server = centre.server.url, tty = false, env = {} } = {}) {
  const stopping = new AbortController()
  let [stdout, stderr] = ['', '']
  const over = runCommandLine(
    COMMANDS,
    ['tail', ...(args.includes('--config') ? [] : ['--server', server]), ...args],
    {
      stdin: process.stdin,
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      isTTY: tty,
      env,
      clock: systemClock,
      signal: stopping.signal,
    },
    '1.2.3',
  )
  onTestFinished(async () => {
    stopping.abort()
    await over
  })
  const lines = () => stdout.split('\n').slice(0, -1)
  return {
    lines,
    stderr: () => stderr,
    /** Lines that are records. */
    rows: () => lines().filter((line) => /^\d{4}-/.test(line)),
    marks: () => lines().filter((line) => line.startsWith('---')),
    objects: () => lines().map((line) => JSON.parse(line) as Record<string, unknown>),
    over,
    stop: () => {
      stopping.abort()
      return over
    },
  }
}

const until = (condition: () => boolean, timeout = 15_000) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout, interval: 10 })

/** Resolves when the view follows: what is published from now on is shown. */
const following = (count: number) =>
  vi.waitFor(
    async () => {
      const { state } = await centre.manager.streams.info('READINGS')
      expect(state.consumer_count).toBe(count)
    },
    { timeout: 10_000, interval: 10 },
  )

describe('tail', () => {
  it('shows what arrives in columns, and ends after as many records as asked', async () => {
    const site = freshSite()
    const view = tail(['--site', site, '--limit', '3'])
    await following(1)
    await centre.publishReadings({ site, gateway: 'gw-1', from: 40, gzip: true }, [
      reading(1),
      { ...reading(2), device: 'a much longer device name', quality: 'bad' },
      { ...reading(3), value: 'open', labels: { door: '3' } },
      reading(4),
    ])
    expect(await view.over).toBe(0)
    const [header, first, second, third, ...more] = view.lines()
    expect(more).toEqual([])
    expect(header).toMatch(/^TIME +DEVICE +METRIC +VALUE +UNIT +GATEWAY +OFFSET$/)
    expect(first).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.001 {2}dev +temperature +1 {2}Cel +site \d\/gw-1 +40$/)
    expect(second).toMatch(/ a much longer device name +temperature +2 {2}Cel .* 41 {2}bad$/)
    expect(third).toMatch(/ dev +temperature +"open" {2}Cel .* 42$/)
    // A column that grew stays as wide as it is.
    expect(third?.indexOf('temperature')).toBe(second?.indexOf('temperature'))
    expect(view.stderr()).toBe('')
  })

  it('begins with what is stored when asked to', async () => {
    const site = freshSite()
    await centre.publishReadings({ site, from: 0 }, readings(0, 9))
    const view = tail(['--site', site, '--since', '1h', '--limit', '10'])
    expect(await view.over).toBe(0)
    expect(view.rows()).toHaveLength(10)
  })

  it('prints one JSON object a record, with everything in it', async () => {
    const site = freshSite()
    const sequence = await centre.publishReadings({ site, gateway: 'gw', from: 7 }, [
      { ...reading(1), labels: { line: 'a' } },
    ])
    await centre.publishReadings({ site, gateway: 'gw', from: 10 }, readings(10, 10))
    const view = tail(['--site', site, '--since', '1h', '--limit', '2', '--json'])
    expect(await view.over).toBe(0)
    expect(view.objects()[0]).toEqual({
      stream: 'readings',
      site,
      gateway: 'gw',
      origin: `readings.${site.replace(' ', '=20')}.gw/epoch-1`,
      offset: 7,
      sequence,
      ...reading(1),
      timeSource: 'device',
      labels: { line: 'a' },
    })
    expect(JSON.parse(view.stderr())).toMatchObject({ mark: 'gap', text: expect.stringContaining('8-9 missing') })
  })

  it('shows only what is asked for', async () => {
    const site = freshSite()
    const other = freshSite()
    await centre.publishReadings({ site, gateway: 'a', from: 0 }, [
      reading(0, 'd1'),
      reading(1, 'd2'),
      { ...reading(2, 'd1'), metric: 'humidity' },
    ])
    await centre.publishReadings({ site, gateway: 'b', from: 0 }, [reading(3, 'd1')])
    await centre.publishReadings({ site: other, gateway: 'a', from: 0 }, [reading(4, 'd1')])
    const values = async (...args: string[]) => {
      const view = tail(['--since', '1h', '--json', ...args])
      expect(await view.over).toBe(0)
      return view.objects().map(({ value }) => value)
    }
    expect(await values('--site', site, '--limit', '4')).toEqual([0, 1, 2, 3])
    expect(await values('--site', site, '--gateway', 'b', '--limit', '1')).toEqual([3])
    expect(await values('--site', site, '--device', 'd1', '--limit', '3')).toEqual([0, 2, 3])
    expect(await values('--site', site, '--device', 'd1', '--metric', 'humidity', '--limit', '1')).toEqual([2])
    expect(await values('--site', other, '--limit', '1')).toEqual([4])
  })

  it('marks holes, repeats, new numberings, and what is not of a gateway', async () => {
    const site = freshSite()
    await centre.publishReadings({ site, from: 0, gaps: [{ from: 2, to: 3, reason: 'evicted' }] }, readings(0, 1))
    await centre.publishReadings({ site, from: 6 }, readings(6, 6))
    await centre.publishReadings({ site, from: 6 }, readings(6, 6))
    await centre.publishReadings({ site, epoch: 'epoch-2', from: 0 }, readings(7, 7))
    await centre.client.publish(`readings.${site.replace(' ', '=20')}.gw`, 'by hand')
    await centre.publishLines({ site, epoch: 'epoch-2', from: 1 }, ['{"device":1}', encodeLine(reading(8))])
    const view = tail(['--site', site, '--since', '1h', '--limit', '5'])
    expect(await view.over).toBe(0)
    expect(view.rows()).toHaveLength(5)
    expect(view.marks()).toEqual([
      expect.stringContaining('2-3 missing, declared as evicted'),
      expect.stringContaining('4-5 missing, not declared'),
      expect.stringContaining('6 came again'),
      expect.stringContaining('new numbering, begins at 0'),
      expect.stringContaining('PACK_HEADERS'),
      expect.stringContaining('epoch-2 1: LINE_INVALID'),
    ])
  })

  it('shows events and dead letters beside readings', async () => {
    const site = freshSite()
    await centre.publishReadings({ site, from: 0 }, readings(0, 0))
    await centre.publishEvent(site, {
      id: 'x',
      device: 'oven',
      rule: 'too-hot',
      transition: 1,
      since: 1_700_000_000_000,
      type: 'tidegate.alarm.raised',
      time: Date.now(),
      data: {},
    })
    await centre.publishDeadLetters({ site, from: 0 }, [
      {
        code: 'PAYLOAD_NOT_JSON',
        reason: 'expected JSON',
        topic: 'a/b',
        client: 'c1',
        received: Date.now(),
        payload: '',
      },
    ])
    const view = tail(['--site', site, '--since', '1h', '--stream', 'all', '--limit', '3'])
    expect(await view.over).toBe(0)
    expect(view.rows().toSorted((a, b) => a.length - b.length)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/ dev +temperature +0 /),
        expect.stringMatching(/ oven +too-hot +raised .*\/gw +#1$/),
        expect.stringMatching(/ c1 +a\/b +PAYLOAD_NOT_JSON .* 0 {2}expected JSON$/),
      ]),
    )
  })

  it('goes on where it was when the centre was away, and says so', async () => {
    const own = await TestCentre.start()
    onTestFinished(() => own.stop())
    await own.publishReadings({ site: 's', from: 0 }, readings(0, 4))
    const view = tail(['--since', '1h', '--json'], { server: own.server.url })
    await until(() => view.lines().length === 5)
    await own.server.kill()
    await until(() => view.stderr().includes('"lost"'))
    await own.server.restart()
    await vi.waitFor(() => own.publishReadings({ site: 's', from: 5 }, readings(5, 9)), { timeout: 10_000 })
    await until(() => view.lines().length === 10)
    expect(view.objects().map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(view.stderr()).toContain('"back"')
    expect(await view.stop()).toBe(0)
  })

  it('waits for streams that do not exist yet, and notices one that is made anew', async () => {
    const own = await TestCentre.start({}, false)
    onTestFinished(() => own.stop())
    const view = tail([], { server: own.server.url })
    await until(() => view.marks().some((mark) => mark.includes('READINGS does not exist yet')))
    await own.addStreams()
    await own.publishReadings({ site: 's', from: 0 }, readings(0, 4))
    await until(() => view.rows().length === 5)
    await own.manager.streams.delete('READINGS')
    await until(() => view.marks().filter((mark) => mark.includes('READINGS does not exist yet')).length === 2)
    await own.manager.streams.add({ name: 'READINGS', subjects: ['readings.*.*'] })
    await own.publishReadings({ site: 's', from: 5 }, readings(5, 6))
    await until(() => view.rows().length === 7)
    expect(view.marks().some((mark) => mark.includes('READINGS was made anew'))).toBe(true)
    expect(await view.stop()).toBe(0)
  })

  it('takes the centre from the configuration', async () => {
    const site = freshSite()
    await centre.publishReadings({ site, from: 0 }, readings(0, 0))
    const file = join(await tempDir(), 'plant.yaml')
    await writeFile(file, `site: a\ngateway: b\ncentral: { servers: ['${centre.server.url}'] }\n`)
    const view = tail(['--config', file, '--site', site, '--since', '1h', '--limit', '1'])
    expect(await view.over).toBe(0)
    expect(view.rows()).toHaveLength(1)
  })

  it.each([
    [['--server', 'http://x'], /expected nats:\/\/host:port/],
    [['--server', 'nats://x', '--config', 'y'], /exclude each other/],
  ])('refuses %j', async (args, message) => {
    const { exitCode, stderr } = await runIn(COMMANDS, ['tail', ...args])
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(message)])
  })

  it('ends without a word when its reader goes away', async () => {
    const site = freshSite()
    await centre.publishReadings({ site, from: 0 }, readings(0, 4_999))
    const main = fileURLToPath(new URL('../../../gateway/cli/main.ts', import.meta.url))
    const line = `set -o pipefail; ${process.execPath} --import tsx ${main} tail --server ${centre.server.url} --site '${site}' --since 1h | head -n 2`
    const shell = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void shell.kill('SIGKILL'))
    let stderr = ''
    shell.stderr.on('data', (text) => (stderr += text))
    shell.stdout.resume()
    const [exitCode] = await once(shell, 'exit')
    expect([exitCode, stderr]).toEqual([0, ''])
  })
})

describe('the table', () => {
  const row = {
    lane: 'readings' as const,
    time: Number.POSITIVE_INFINITY,
    device: 'd',
    metric: 'm',
    value: '1',
    unit: '',
    gateway: 's/g',
    offset: '0',
    note: '',
    full: {},
  }

  it('has colours only when asked to', () => {
    expect(new Table(true).line(row)).toContain('\x1b[36m')
    expect(new Table(false).line(row)).not.toContain('\x1b')
  })

  it('does not let a device steer the terminal', () => {
    const line = new Table(false).line({ ...row, device: '\x1b[2J\u009b1m\u202e', value: 'a\nb' })
    expect(line).toContain('\\x1b[2J\\x9b1m\\x202e')
    expect(line).toContain('a\\x0ab')
  })

  it('clips what is endless', () => {
    const line = new Table(false).line({ ...row, device: 'x'.repeat(500) })
    expect(line).toContain(`${'x'.repeat(31)}…  m`)
  })
})
