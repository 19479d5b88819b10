import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readBack } from '../../../gateway/outbox/index.ts'
import { levelDisk } from '../../../gateway/ports/index.ts'
import { ruleSetSchema } from '../../../gateway/rules/index.ts'
import { StateMachine } from '../../../gateway/state/index.ts'
import { decodeLine, encodeLine, type Reading, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { runGateway } from '../../support/running-gateway.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { TestCentre } from '../../support/test-centre.ts'
import type { Ran } from './support/context.ts'
import { events, fed, fedUntil, file, HOT, kinds, line, START, tidegate } from './support/rules.ts'

describe('tidegate rules test', () => {
  it('prints what the rules would have raised, for people', async () => {
    const [rules, readings] = [
      await file(HOT),
      await file(`${line(90, 0)}\n${line(60, 10)}\n${line(60, 200)}\n`, 'r.ndjson'),
    ]
    const { exitCode, stdout, stderr } = await tidegate('rules', 'test', rules, '--readings', readings)
    expect(exitCode).toBe(0)
    const lines = stdout.split('\n').slice(0, -1)
    expect(lines[0]).toMatch(/^TIME +SEVERITY +DEVICE +RULE +EVENT +MESSAGE$/)
    expect(lines.slice(1).map((one) => one.split(/ {2,}/).slice(1, 5))).toEqual([
      ['low', 'press-4', 'hot', 'raised'],
      ['low', 'press-4', 'hot', 'cleared'],
      ['critical', 'press-4', 'silent@temperature', 'raised'],
      ['critical', 'press-4', 'silent@temperature', 'cleared'],
    ])
    expect(lines[1]).toContain('press-4 temperature: high raised (90)')
    expect(stderr).toMatch(/^3 readings, 3\.3 min in [\d.]+ s: \d+ times faster than real time\n/)
    expect(stderr).toContain(
      '4 events: 2 raised, 2 cleared\n  hot: 1 raised, 1 cleared\n  silent: 1 raised, 1 cleared\n',
    )
  })

  it('prints one event a line for programs, and nothing else', async () => {
    const input = `${line(90, 0)}\r\n\n${line(60, 10)}`
    const { exitCode, stdout, stderr } = await fed(input, 'rules', 'test', await file(HOT), '--readings', '-', '--json')
    expect(exitCode).toBe(0)
    expect(kinds(stdout)).toEqual(['hot raised', 'hot cleared'])
    expect(events(stdout)[0]).toMatchObject({ device: 'press-4', time: START, data: { severity: 'low', limit: 80 } })
    expect(JSON.parse(stderr)).toMatchObject({
      summary: {
        readings: 2,
        events: 2,
        byKind: { raised: 1, cleared: 1 },
        byRule: { hot: { raised: 1, cleared: 1 } },
        silent: ['silent'],
      },
    })
  })

  it('lets time go on behind the last reading only when asked to', async () => {
    const args = ['rules', 'test', await file(HOT), '--readings', '-', '--json']
    expect(kinds((await fed(line(20, 0), ...args)).stdout)).toEqual([])
    const until = await fed(line(20, 0), ...args, '--until', '2026-05-01T12:01:00Z')
    expect(kinds(until.stdout)).toEqual(['silent@temperature raised'])
    expect(events(until.stdout)[0]?.time).toBe(START + 60_000)
  })

  it('takes the time of receipt where there is one, as a gateway does', async () => {
    const late = [line(20, 0, { received: START }), line(20, 5, { received: START + 61_000 })].join('\n')
    const { stdout } = await fed(late, 'rules', 'test', await file(HOT), '--readings', '-', '--json')
    expect(kinds(stdout)).toEqual(['silent@temperature raised', 'silent@temperature cleared'])
  })

  it('takes only the readings of a while', async () => {
    const input = [line(90, 0), line(20, 10), line(90, 20), line(20, 30)].join('\n')
    const range = ['--from', '2026-05-01T12:00:10Z', '--to', String(START + 30_000)]
    const { stdout, stderr } = await fed(input, 'rules', 'test', await file(HOT), '--readings', '-', '--json', ...range)
    expect(kinds(stdout)).toEqual(['hot raised'])
    expect(JSON.parse(stderr)).toMatchObject({ summary: { readings: 2, outside: 2 } })
  })

  it('counts what is no reading, names the first few, and fails only when nothing was one', async () => {
    const [rules, bad] = [await file(HOT), ['nonsense', '{"device":"d"}', '[]', '7', '{', '"x"', 'null'].join('\n')]
    const some = await fed(`${bad}\n${line(90, 0)}`, 'rules', 'test', rules, '--readings', '-')
    expect(some.exitCode).toBe(0)
    expect(some.stderr).toMatch(/^1 reading, 0 s in [\d.]+ s\n/)
    expect(some.stderr).toContain('not a reading: line 1: expected one JSON object a line\n')
    expect(some.stderr).toContain('not a reading: line 2: metric: expected a string that is not empty, got nothing\n')
    expect(some.stderr).toContain('not readings: 2 more\n')
    const none = await fed(bad, 'rules', 'test', rules, '--readings', '-')
    expect([none.exitCode, none.stdout]).toEqual([1, ''])
    expect((await fed('', 'rules', 'test', rules, '--readings', '-')).exitCode).toBe(1)
  })

  it('gives up a line without an end instead of keeping it', async () => {
    const rules = await file(HOT)
    const readings = await file(`${'x'.repeat(3_000_000)}\n${line(90, 0)}\n`, 'r.ndjson')
    const { exitCode, stderr } = await tidegate('rules', 'test', rules, '--readings', readings)
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('1 event: 1 raised')])
    expect(stderr).toContain('not a reading: expected lines of at most 1048576 characters')
  })

  it('ends at Ctrl-C with what it has found so far, also when nothing comes any more', async () => {
    const rules = await file(HOT)
    const input = new Readable({ read() {} })
    input.push(`${line(90, 0)}\n`)
    const { exitCode, stderr } = await fedUntil('raised', input, 'rules', 'test', rules, '--readings', '-')
    expect([exitCode, stderr]).toEqual([130, expect.stringContaining('1 event: 1 raised')])
  })

  it('tells of floods of alarms as the gateway would, and counts them to their rule', async () => {
    const rules = await file('rules: [{ id: hot, match: {}, above: 80, flood: { alarms: 2, within: 1m } }]')
    const many = [1, 2, 3].map((n) => line(90, n, { device: `press-${n}`, site: 'plant', gateway: 'gw-1' }))
    const { stdout, stderr } = await fed(many.join('\n'), 'rules', 'test', rules, '--readings', '-', '--json')
    expect(events(stdout).map(({ device, rule }) => `${device} ${rule}`)).toContain('@gw-1 @flood:hot')
    expect(JSON.parse(stderr)).toMatchObject({ summary: { byRule: { hot: { raised: 3, began: 1 } } } })
    const people = await fed(many.join('\n'), 'rules', 'test', rules, '--readings', '-')
    expect(people.stdout).toContain('a flood of alarms of rule hot')
  })

  it('says how it is to be called', async () => {
    const rules = await file(HOT)
    for (const [args, says] of [
      [[], 'expected where the readings come from'],
      [['--readings', 'a', '--outbox'], '--readings and --outbox exclude each other'],
      [['--readings', 'a', '--since', '1h'], '--site, --gateway and --since choose from the central stream'],
      [
        ['--readings', 'a', '--from', 'yesterday'],
        "--from: expected a time like '2026-05-01T12:00Z' or Unix milliseconds",
      ],
    ] as const) {
      const { exitCode, stderr } = await tidegate('rules', 'test', rules, ...args)
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(says)])
    }
    const { exitCode, stderr } = await tidegate('rules', 'test', rules, '--readings', '/nowhere.ndjson')
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringContaining('READINGS_UNREADABLE: cannot read /nowhere.ndjson (ENOENT)'),
    ])
  })
})

const EVERY_KIND = {
  lateness: '2s',
  rules: [
    { id: 'hot', match: { metric: 'a' }, above: { raise: 70, clear: 60 }, for: '5s', clearFor: '3s' },
    { id: 'steps', match: {}, ladder: { lo: 20, hi: 80, hihi: 90 } },
    { id: 'silent', match: {}, missing: { after: '40s' } },
    { id: 'unusual', match: { metric: 'b' }, deviation: { sigmas: 3, warmup: 10 }, of: { m: 2, n: 3 } },
    { id: 'fast', match: { metric: 'a' }, rate: { rise: 15, per: '1m', over: '30s' }, reraiseAfter: '20s' },
    { id: 'stuck', match: { metric: 'b' }, stuck: { after: '30s', tolerance: 1 }, latch: true },
    {
      id: 'both',
      match: {},
      when: {
        all: [
          { metric: 'a', above: 50 },
          { metric: 'b', below: 50 },
        ],
      },
      for: '4s',
    },
  ],
}

/** Readings of 40 devices in the order in which they were received, from a small generator of its own. */
function* generated(count: number): Iterable<Reading> {
  let seed = 7
  const chance = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((seed / 2_147_483_648) * below)
  }
  let received = START
  for (let i = 0; i < count; i++) {
    received += chance(400)
    const device = `d${chance(40)}`
    const value = 50 + 45 * Math.sin(i / 900) + chance(20) - 10
    yield {
      device,
      metric: chance(2) === 0 ? 'a' : 'b',
      value: Math.round(value * 10) / 10,
      time: received - chance(3000),
      received,
      seq: i,
      ...(chance(50) === 0 ? { quality: 'bad' } : {}),
    }
  }
}

/** Not all of the lines: thousands of them help nobody. */
function firstDifference(found: readonly string[], expected: readonly string[]): object | null {
  const at = expected.findIndex((line, i) => line !== found[i])
  if (at < 0 && found.length === expected.length) return null
  return { at, found: found[at], expected: expected[at], lengths: [found.length, expected.length] }
}

describe('a back-test', () => {
  it('of 100,000 readings raises what the live engine raised, byte for byte', async () => {
    const dir = await tempDir()
    const [rules, recording] = [join(dir, 'rules.json'), join(dir, 'readings.ndjson')]
    await writeFile(rules, JSON.stringify(EVERY_KIND))
    const machine = new StateMachine({ dedupeWindow: 256, maxSeries: 1000, gateway: 'gw' })
    machine.resume(START - 1)
    machine.changeRules('main', EVERY_KIND, ruleSetSchema.parse(EVERY_KIND), START - 1)
    const [live, lines]: [string[], string[]] = [[], []]
    const tell = (all: readonly ThresholdEvent[]): void => void live.push(...all.map((event) => JSON.stringify(event)))
    let [now, offset] = [START, 0]
    for (const reading of generated(100_000)) {
      const written = encodeLine(reading)
      lines.push(written)
      // As in a gateway: time passes whether or not a reading comes.
      for (; now < reading.received; now += 100) tell(machine.advance(now))
      // Its keys in the order in which ingest makes them.
      tell(machine.apply(decodeLine(written), offset++))
    }
    await writeFile(recording, `${lines.join('\n')}\n`)
    const { exitCode, stdout, stderr } = await tidegate('rules', 'test', rules, '--readings', recording, '--json')
    expect(exitCode).toBe(0)
    expect(firstDifference(stdout.split('\n').slice(0, -1), live)).toBeNull()
    const { summary } = JSON.parse(stderr) as { summary: { readings: number; events: number; silent: string[] } }
    expect(summary).toMatchObject({ readings: 100_000, events: live.length, silent: [] })
    expect(live.length).toBeGreaterThan(1000)
  })

  it('of what a stopped gateway has kept raises what that gateway raised', async () => {
    const live = await runGateway()
    const rules = await file(HOT)
    expect((await tidegate('rules', 'put', rules, '--data', live.dir)).exitCode).toBe(0)
    for (let i = 0; i < 5; i++) await live.publish(`press-${i}`, 'temperature', 20, 85, 90, 60, 95)
    const running = await tidegate('rules', 'test', rules, '--outbox', '--data', live.dir)
    expect([running.exitCode, running.stderr]).toEqual([3, expect.stringContaining('STORE_LOCKED')])
    await live.stop()
    const stored: string[] = []
    for await (const { lines } of readBack(levelDisk, live.dir, 'events')) stored.push(...(lines ?? []))
    const decided = stored.filter((one) => !one.includes('tidegate.rules.changed'))
    expect(decided).toHaveLength(15)
    const { exitCode, stdout } = await tidegate('rules', 'test', rules, '--outbox', '--config', live.file, '--json')
    expect(exitCode).toBe(0)
    const source = '/sites/site/gateways/gw'
    expect(stdout.split('\n').slice(0, -1)).toEqual(
      decided.map((one) => JSON.stringify({ ...(JSON.parse(one) as object), source })),
    )
  })
})

describe('a back-test of the central stream', () => {
  let centre: TestCentre
  beforeAll(async () => {
    centre = await TestCentre.start()
  })
  afterAll(() => centre?.stop())

  const reading = (device: string, value: number, seconds: number): Reading => ({
    device,
    metric: 'temperature',
    value,
    time: START + seconds * 1000,
    received: START + seconds * 1000,
  })

  it('takes what is there, and decides for every gateway by itself', async () => {
    const rules = await file(HOT)
    const site = 'plant 1'
    await centre.publishReadings({ site, gateway: 'a', from: 0 }, [reading('d1', 90, 0), reading('d1', 20, 3600)])
    // A backlog: older than what the other gateway sent before.
    await centre.publishReadings({ site, gateway: 'b', from: 0, gzip: true }, [
      reading('d2', 20, 0),
      reading('d2', 90, 30),
    ])
    await centre.publishReadings({ site: 'elsewhere', gateway: 'a', from: 0 }, [reading('d3', 99, 0)])
    const test = (...args: string[]): Promise<Ran> =>
      tidegate('rules', 'test', rules, '--server', centre.server.url, '--json', ...args)
    const { exitCode, stdout, stderr } = await test('--site', site)
    expect(exitCode).toBe(0)
    const found = events(stdout) as (ThresholdEvent & { source: string })[]
    expect(
      found.map(({ source, device, rule, type }) => `${source} ${device} ${rule} ${type.split('.').at(-1)}`),
    ).toEqual([
      '/sites/plant 1/gateways/a d1 hot raised',
      '/sites/plant 1/gateways/a d1 silent@temperature raised',
      '/sites/plant 1/gateways/a d1 silent@temperature cleared',
      '/sites/plant 1/gateways/a d1 hot cleared',
      '/sites/plant 1/gateways/b d2 hot raised',
    ])
    expect(JSON.parse(stderr)).toMatchObject({ summary: { readings: 4, gateways: 2 } })
    expect(kinds((await test('--site', site, '--gateway', 'b', '--since', '1h')).stdout)).toEqual(['hot raised'])
    expect(kinds((await test()).stdout)).toHaveLength(6)
  })

  it('says when there is nothing, and when there is no server', async () => {
    const rules = await file(HOT)
    const none = await tidegate('rules', 'test', rules, '--server', centre.server.url, '--site', 'nowhere')
    expect([none.exitCode, none.stdout, none.stderr]).toEqual([1, '', expect.stringContaining('0 readings')])
    const absent = await tidegate('rules', 'test', rules, '--server', 'nats://127.0.0.1:1')
    expect([absent.exitCode, absent.stderr]).toEqual([1, expect.stringContaining('LINK_DIAL_FAILED')])
  })
})
