import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { EventStreamParser } from '../../../gateway/cli/api/server-sent-events.ts'
import { runCommandLine } from '../../../gateway/cli/cli.ts'
import { COMMANDS } from '../../../gateway/cli/commands/index.ts'
import { systemClock } from '../../../sync/runtime/index.ts'
import { type RunningGateway, runGateway } from '../../support/running-gateway.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Ran, runIn } from './support/context.ts'

const RULES = {
  rules: [
    { id: 'warm', match: { metric: 'temperature' }, above: 50, severity: 'low' },
    { id: 'hot', match: { metric: 'temperature' }, above: 80, severity: 'critical', latch: true },
  ],
}

async function gatewayWithRules(): Promise<RunningGateway> {
  const live = await runGateway()
  const answer = await live.ask('/rules', { method: 'PUT', body: JSON.stringify(RULES) })
  expect(answer.status).toBe(200)
  return live
}

/** `tidegate alarms` of a gateway. */
const alarms = ({ dir }: { dir: string }, ...args: string[]): Promise<Ran> =>
  runIn(COMMANDS, ['alarms', ...args, '--data', dir], { env: { USER: 'nina' } })

const cells = (stdout: string): string[][] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(/ {2,}/))

describe('tidegate alarms list', () => {
  it('shows what is not normal, the most urgent first', async () => {
    const live = await gatewayWithRules()
    expect((await alarms(live, 'list')).stdout).toBe('no alarms: everything is normal\n')
    await live.publish('press-1', 'temperature', 60)
    await live.publish('press-2', 'temperature', 90)
    await alarms(live, 'acknowledge', 'press-2', 'warm')
    const { exitCode, stdout } = await alarms(live, 'list')
    expect(exitCode).toBe(0)
    expect(cells(stdout).map((row) => row.filter((_, i) => i !== 4))).toEqual([
      ['SEVERITY', 'STATE', 'DEVICE', 'ALARM', 'MESSAGE'],
      ['critical', 'unacknowledged', 'press-2', 'hot', 'press-2 temperature: high (90)'],
      ['low', 'unacknowledged', 'press-1', 'warm', 'press-1 temperature: high (60)'],
      ['low', 'acknowledged', 'press-2', 'warm', 'press-2 temperature: high (90)'],
    ])
    expect(cells((await alarms(live, 'list', '--all')).stdout)).toHaveLength(5)
    expect(cells((await alarms(live, 'list', '--device', '*-1')).stdout)).toHaveLength(2)
    const json = await alarms(live, 'list', '--rule', 'hot', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject([
      { device: 'press-2', rule: 'hot', state: 'unacknowledged', value: 90 },
    ])
  })

  it('is coloured on a terminal, and nothing that a device says moves the cursor', async () => {
    const live = await runGateway()
    const rules = { rules: [{ id: 'hot', match: {}, above: 80, severity: 'critical', message: 'hot \u001b[2J' }] }
    await live.ask('/rules', { method: 'PUT', body: JSON.stringify(rules) })
    await live.publish('press-1', 'temperature', 90)
    let stdout = ''
    const context = {
      stdout: { write: (text: string) => (stdout += text) },
      stderr: { write() {} },
      isTTY: true,
      env: {},
    }
    const rest = { stdin: process.stdin, clock: systemClock, signal: new AbortController().signal }
    await runCommandLine(COMMANDS, ['alarms', 'list', '--data', live.dir], { ...context, ...rest }, '1.2.3')
    expect(stdout).toContain('\u001b[1;31mcritical')
    expect(stdout).toContain('hot \\x1b[2J')
  })
})

describe('tidegate alarms', () => {
  it('does to an alarm what an operator can do to it', async () => {
    const live = await gatewayWithRules()
    await live.publish('press-1', 'temperature', 90)
    const act = async (word: string, ...more: string[]): Promise<string> =>
      (await alarms(live, word, 'press-1', 'hot', ...more)).stdout
    expect(await act('acknowledge')).toBe('press-1 hot: was unacknowledged, is acknowledged\n')
    await live.publish('press-1', 'temperature', 20)
    expect(await act('reset')).toBe('press-1 hot: was latched, is normal\n')
    expect(await act('shelve', '--for', '2h')).toMatch(/^press-1 hot: was normal, is shelved until 2\d{3}-/)
    expect((await alarms(live, 'list')).stdout).toMatch(/shelved until 2\d{3}-\d\d-\d\d \d\d:\d\d {2}/)
    expect(await act('unshelve')).toBe('press-1 hot: was shelved, is normal\n')
    expect(await act('suppress')).toBe('press-1 hot: was normal, is suppressed\n')
    expect(await act('unsuppress')).toBe('press-1 hot: was suppressed, is normal\n')
    expect(await act('remove')).toBe('press-1 hot: was normal, is outOfService\n')
    expect(await act('return')).toBe('press-1 hot: was outOfService, is normal\n')
  })

  it('does it to all that fit, where it can be done', async () => {
    const live = await gatewayWithRules()
    for (const device of ['press-1', 'press-2', 'pump-1']) await live.publish(device, 'temperature', 60)
    const all = await alarms(live, 'acknowledge', 'press-*', '*')
    expect(all).toEqual({
      exitCode: 0,
      stdout: 'press-1 warm: was unacknowledged, is acknowledged\npress-2 warm: was unacknowledged, is acknowledged\n',
      stderr: '',
    })
    expect(await alarms(live, 'acknowledge', 'press-*', '*')).toEqual({
      exitCode: 1,
      stdout: 'there is no alarm to which that can be done\n',
      stderr: '',
    })
    // A machine that is being repaired: also what is normal now.
    const removed = await alarms(live, 'remove', 'pump-1', '*', '--json')
    expect(
      removed.stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { rule: string }).rule),
    ).toEqual(['hot', 'warm'])
    expect((await alarms(live, 'return', 'pump-*', '*')).stdout).toContain(
      'pump-1 warm: was outOfService, is unacknowledged',
    )
  })

  it('says who did it, and why', async () => {
    const live = await gatewayWithRules()
    await live.publish('press-1', 'temperature', 90)
    const { stdout } = await alarms(live, 'acknowledge', 'press-1', 'hot', '--comment', 'seen', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'tidegate.alarm.acknowledged',
      data: { by: 'nina', comment: 'seen' },
    })
    const named = await alarms(live, 'acknowledge', 'press-1', 'warm', '--by', 'Otto', '--json')
    expect(JSON.parse(named.stdout)).toMatchObject({ data: { by: 'Otto', comment: null } })
  })

  it('says what cannot be done, with the code that the gateway gives', async () => {
    const live = await gatewayWithRules()
    await live.publish('press-1', 'temperature', 20)
    const refused = await alarms(live, 'acknowledge', 'press-1', 'hot')
    expect(refused).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: "error ALARM_ACTION_REFUSED: cannot acknowledge 'hot' of 'press-1': it is normal\n",
    })
    const unknown = await alarms(live, 'reset', 'press-9', 'hot', '--json')
    expect([unknown.exitCode, JSON.parse(unknown.stderr)]).toMatchObject([1, { error: { code: 'ALARM_UNKNOWN' } }])
    expect((await alarms(live, 'acknowledge', 'press-1')).exitCode).toBe(2)
    expect((await alarms(await absent(), 'list')).exitCode).toBe(3)
  })

  it('takes something else that answers there for no gateway', async () => {
    const server = createServer((_, response) => response.end('<html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const dir = await tempDir()
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await writeFile(join(dir, 'api.json'), JSON.stringify({ url, token: 't' }))
    const { exitCode, stderr } = await alarms({ dir }, 'list')
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringContaining(`error API_UNREACHABLE: no answer from the gateway at ${url}`),
    ])
  })
})

const absent = async (): Promise<{ dir: string }> => ({ dir: await tempDir() })

describe('tidegate alarms watch', () => {
  /** The command beside the test. */
  function watch(dir: string, ...args: string[]) {
    const stopping = new AbortController()
    let [stdout, stderr] = ['', '']
    const over = runCommandLine(
      COMMANDS,
      ['alarms', 'watch', '--data', dir, ...args],
      {
        stdin: process.stdin,
        stdout: { write: (text) => (stdout += text) },
        stderr: { write: (text) => (stderr += text) },
        isTTY: false,
        env: {},
        clock: systemClock,
        signal: stopping.signal,
      },
      '1.2.3',
    )
    const stop = (): Promise<number> => {
      stopping.abort()
      return over
    }
    onTestFinished(async () => void (await stop()))
    return { stdout: () => stdout, stderr: () => stderr, over, stop }
  }

  const until = (condition: () => boolean) =>
    vi.waitFor(() => expect(condition()).toBe(true), { timeout: 15_000, interval: 10 })

  /** Publishes until the view shows it: it follows from now on. */
  async function following(live: RunningGateway, view: { stdout(): string }): Promise<void> {
    await vi.waitFor(
      async () => {
        await live.publish('probe', 'temperature', 60, 20)
        expect(view.stdout()).toContain('probe')
      },
      { timeout: 15_000, interval: 20 },
    )
  }

  it('shows events as they happen, and ends cleanly', async () => {
    const live = await gatewayWithRules()
    const view = watch(live.dir)
    await following(live, view)
    await live.publish('press-1', 'temperature', 90)
    await until(() => view.stdout().includes('press-1'))
    await alarms(live, 'acknowledge', 'press-1', 'hot', '--comment', 'coming')
    await until(() => view.stdout().includes('acknowledge'))
    const rows = cells(view.stdout()).filter((row) => row[2] === 'press-1')
    expect(rows.map((row) => row.slice(1))).toEqual([
      ['low', 'press-1', 'warm', 'raised', 'press-1 temperature: high raised (90)'],
      ['critical', 'press-1', 'hot', 'raised', 'press-1 temperature: high raised (90)'],
      ['critical', 'press-1', 'hot', 'acknowledged', 'press-1 temperature: high acknowledged (90) by nina "coming"'],
    ])
    expect(await view.stop()).toBe(0)
    expect(view.stderr()).toBe('')
  })

  it('goes on behind the last event when the gateway comes back on another port', async () => {
    const live = await gatewayWithRules()
    const view = watch(live.dir, '--json', '--rule', 'warm')
    await following(live, view)
    await live.stop()
    await until(() => view.stderr().includes('trying again'))
    const again = await runGateway({ dir: live.dir })
    // Before the view is back, and not in it by chance: the view asks again a second after it lost the gateway.
    await again.publish('press-7', 'temperature', 90)
    await until(() => view.stdout().includes('press-7'))
    expect(view.stderr()).toContain('{"mark":"connected again"}')
    const events = view
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { rule: string; id: string })
    expect(new Set(events.map(({ rule }) => rule))).toEqual(new Set(['warm']))
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
  })

  it('says at once that there is no gateway', async () => {
    const view = watch(await tempDir())
    expect(await view.over).toBe(3)
    expect(view.stderr()).toContain('error API_NOT_FOUND')
  })
})

describe('server-sent events', () => {
  const TEXT =
    ': hello\r\nid: a:1\r\n\r\nevent: threshold\ndata: {"x":1}\nid: a:2\n\ndata:one\ndata: two\n\nid\ndata\n\n'
  const EVENTS = [
    { event: 'threshold', data: '{"x":1}', lastId: 'a:2' },
    { event: 'message', data: 'one\ntwo', lastId: 'a:2' },
    { event: 'message', data: '', lastId: '' },
  ]

  it('are read as they are written, in whatever pieces they come', () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parser = new EventStreamParser()
      const found = []
      for (let at = 0; at < TEXT.length; at += size) found.push(...parser.push(TEXT.slice(at, at + size)))
      expect(found, `pieces of ${size}`).toEqual(EVENTS)
    }
  })

  it('move the place also without data', () => {
    const parser = new EventStreamParser()
    expect([...parser.push(': still here\nid: a:7\n\n')]).toEqual([])
    expect(parser.lastId).toBe('a:7')
  })
})
