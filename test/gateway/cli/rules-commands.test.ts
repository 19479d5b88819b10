import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runGateway } from '../../support/running-gateway.ts'
import { fed, file, HOT, tidegate } from './support/rules.ts'

describe('tidegate rules check', () => {
  it('says that a rule set is valid', async () => {
    const path = await file(HOT)
    expect(await tidegate('rules', 'check', path)).toEqual({
      exitCode: 0,
      stdout: 'rules.yaml is valid: 2 rules\n',
      stderr: '',
    })
    const { stdout } = await tidegate('rules', 'check', path, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ valid: true, rules: 2, problems: [] })
  })

  it('says every problem with its line, and exits with 3', async () => {
    const path = await file(
      'rules:\n  - id: a\n    match: {}\n    above: x\n  - id: b\n    match: {}\n    severty: low\n    below: 3\n',
    )
    const { exitCode, stderr } = await tidegate('rules', 'check', path)
    expect(exitCode).toBe(3)
    expect(stderr).toContain('error RULES_INVALID: the rule set has 2 problems:')
    expect(stderr).toMatch(/rules\.yaml:4: rules\[0\]\.above: /)
    expect(stderr).toMatch(/rules\.yaml:7: rules\[1\]\.severty: /)
    const json = await tidegate('rules', 'check', path, '--json')
    expect(json.exitCode).toBe(3)
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      problems: [
        { line: 4, path: 'rules[0].above' },
        { line: 7, path: 'rules[1].severty' },
      ],
    })
  })

  it('reads standard input, and says what it cannot read', async () => {
    expect((await fed(HOT, 'rules', 'check', '-')).stdout).toBe('standard input is valid: 2 rules\n')
    const { exitCode, stderr } = await tidegate('rules', 'check', '/nowhere/rules.yaml')
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringContaining('RULES_UNREADABLE: cannot read /nowhere/rules.yaml (ENOENT)'),
    ])
  })
})

it('tidegate rules schema prints a JSON schema', async () => {
  const { exitCode, stdout } = await tidegate('rules', 'schema')
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ title: 'Tidegate rule set', properties: { rules: { type: 'array' } } })
})

const LAYERED = `
defaults: { severity: low, for: 5s }
rules:
  - id: hot
    match: { metric: temperature }
    severity: medium
    above: 80
    overrides:
      - match: { device: "press-*" }
        above: 90
        severity: high
      - match: { device: press-4, labels: { line: "3" } }
        above: { raise: 95, clear: 90 }
`

describe('tidegate rules explain', () => {
  it('says where each value comes from, and what lost', async () => {
    const args = ['rules', 'explain', 'press-4', 'temperature', '--rules', await file(LAYERED)]
    const { exitCode, stdout } = await tidegate(...args, '--label', 'line=3', '--label', 'hall=A')
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^hot, revision [0-9a-f]{16}\n/)
    expect(stdout).toMatch(
      / {2}above +\{"limit":\{"raise":95,"clear":90\}\} +overrides\[1\] \{"device":"press-4","labels":\{"line":"3"\}\}\n/,
    )
    expect(stdout).toMatch(/ {2}severity +"high" +overrides\[0\] \{"device":"press-\*"\}\n/)
    expect(stdout).toMatch(/ {2}for +5000 ms +defaults\n/)
    expect(stdout).toMatch(/ {2}latch +false +usual value\n/)
    expect(stdout).toContain(
      '  lost: above {"raise":90,"clear":90} of overrides[0] {"device":"press-*"}, to overrides[1]\n',
    )
    expect(stdout).toContain('  lost: severity "low" of defaults, to overrides[0]\n')
    const unlabelled = JSON.parse((await tidegate(...args, '--json')).stdout) as object[]
    expect(unlabelled).toMatchObject([
      { id: 'hot', severity: 'high', from: { above: 'overrides[0]' }, overrides: [{ name: 'overrides[0]' }] },
    ])
  })

  it('asks the running gateway, which knows the labels of the series', async () => {
    const live = await runGateway()
    await tidegate('rules', 'put', await file(LAYERED), '--data', live.dir)
    await live.publish('press-4', 'temperature', { value: 20, labels: { line: '3' } })
    const explain = async (...more: string[]) => {
      const { stdout } = await tidegate(
        'rules',
        'explain',
        'press-4',
        'temperature',
        '--data',
        live.dir,
        '--json',
        ...more,
      )
      return (JSON.parse(stdout) as { from: Record<string, string> }[])[0]?.from['above']
    }
    expect(await explain()).toBe('overrides[1]')
    expect(await explain('--label', 'line=4')).toBe('overrides[0]')
    const none = await tidegate('rules', 'explain', 'press-4', 'humidity', '--data', live.dir)
    expect(none).toEqual({ exitCode: 1, stdout: 'no rule holds for press-4 humidity\n', stderr: '' })
  })
})

describe('rules of a running gateway', () => {
  it('are put, shown and listed', async () => {
    const live = await runGateway()
    const rules = await file(HOT)
    const at = ['--data', live.dir]
    expect((await tidegate('rules', 'sets', ...at)).stdout).toBe('no rule set was given yet\n')
    const put = await tidegate('rules', 'put', rules, ...at)
    expect(put).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^rule set main is now at revision [0-9a-f]{16}\n$/),
    })
    const revision = put.stdout.trim().split(' ').at(-1) ?? ''
    expect((await tidegate('rules', 'put', rules, ...at, '--if', revision)).stdout).toContain('was already at revision')
    const shown = await tidegate('rules', 'show', '--config', live.file)
    expect(shown.stdout).toMatch(new RegExp(`^# rule set main, revision ${revision}\n`))
    // What is shown can be given back as it is.
    expect((await fed(shown.stdout, 'rules', 'put', '-', ...at, '--json')).stdout).toBe(
      `${JSON.stringify({ set: 'main', revision, changed: false })}\n`,
    )
    expect(JSON.parse((await tidegate('rules', 'show', ...at, '--json')).stdout)).toMatchObject({
      defaults: { severity: 'low' },
    })
    const other = await fed('rules: [{ id: low, match: {}, below: 3 }]', 'rules', 'put', '-', '--set', 'night', ...at)
    expect(other.exitCode).toBe(0)
    const sets = await tidegate('rules', 'sets', ...at)
    expect(
      sets.stdout
        .split('\n')
        .slice(0, -1)
        .map((one) => one.split(/ +/).slice(0, 3)),
    ).toEqual([
      ['SET', 'REVISION', 'RULES'],
      ['main', revision, '2'],
      ['night', expect.stringMatching(/^[0-9a-f]{16}$/), '1'],
    ])
    expect(JSON.parse((await tidegate('rules', 'sets', ...at, '--json')).stdout)).toMatchObject([
      { set: 'main' },
      { set: 'night' },
    ])
  })

  it('are refused in words: with lines, with what the gateway says, with who was faster', async () => {
    const live = await runGateway()
    const at = ['--data', live.dir]
    await tidegate('rules', 'put', await file(HOT), ...at)
    const broken = await tidegate('rules', 'put', await file('rules:\n  - id: a\n    match: {}\n'), ...at)
    expect([broken.exitCode, broken.stderr]).toEqual([3, expect.stringMatching(/rules\.yaml:2: rules\[0\]/)])
    const taken = await tidegate('rules', 'put', await file(HOT), '--set', 'night', ...at)
    expect([taken.exitCode, taken.stderr]).toEqual([
      3,
      expect.stringContaining("rules[0].id: rule set 'main' has a rule 'hot' already"),
    ])
    const late = await tidegate('rules', 'put', await file('rules: []'), '--if', 'abc', ...at)
    expect([late.exitCode, late.stderr]).toEqual([1, expect.stringContaining('error RULES_CHANGED_MEANWHILE')])
    const followed = await tidegate('rules', 'put', await file(HOT), '--set', 'file', ...at)
    expect([followed.exitCode, followed.stderr]).toEqual([1, expect.stringContaining('error RULES_SET_FILE')])
  })

  it('cannot be asked for when no gateway runs, or it does not answer', async () => {
    const live = await runGateway()
    const api = await readFile(join(live.dir, 'api.json'), 'utf8')
    await live.stop()
    const gone = await tidegate('rules', 'sets', '--data', live.dir)
    expect([gone.exitCode, gone.stderr]).toEqual([3, expect.stringContaining('error API_NOT_FOUND')])
    // As a gateway that was killed leaves it.
    await writeFile(join(live.dir, 'api.json'), api)
    const killed = await tidegate('rules', 'sets', '--data', live.dir)
    expect([killed.exitCode, killed.stderr]).toEqual([
      3,
      expect.stringContaining('error API_UNREACHABLE: no answer from the gateway at http://127.0.0.1:'),
    ])
  })

  it('counts what is stored of series and of alarms apart', async () => {
    const live = await runGateway()
    await tidegate('rules', 'put', await file(HOT), '--data', live.dir)
    await live.publish('press-4', 'temperature', 90)
    await live.publish('press-4', 'humidity', 40)
    await live.stop()
    const { stdout } = await tidegate('outbox', 'inspect', '--data', live.dir, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ series: 2, alarms: 2, rules: 1 })
  })
})
