import { describe, expect, it } from 'vitest'
import { type Arguments, type Command, defineCommand, EXIT } from '../../../gateway/cli/command.ts'
import { choice, duration, flag, integer, text } from '../../../gateway/cli/option.ts'
import { OperatorError, RetryableError, UsageError } from '../../../sync/contract/index.ts'
import { runIn } from './support/context.ts'

const OPTIONS = {
  for: duration('How long.', '20s'),
  devices: integer('How many.', 1, 5),
  profile: choice('PROFILE', 'Which signals.', ['steady', 'wild'], 'steady'),
  maxRate: integer('Readings a second.', 1),
  store: text('DIR', 'Where.'),
  json: flag('As JSON.'),
}

/** A command that keeps what it was called with. */
function recorder() {
  const calls: Arguments<typeof OPTIONS>[] = []
  const command = defineCommand({
    name: 'simulate fleet',
    summary: 'Simulate a fleet.',
    usage: '[options] [SITE]',
    options: OPTIONS,
    operands: { min: 0, max: 1 },
    examples: [{ command: 'tidegate simulate fleet --devices 3', effect: 'three devices' }],
    exitCodes: { 1: 'a device gave up' },
    async run(_, args) {
      calls.push(args)
      return EXIT.ok
    },
  })
  return { commands: [command, failing(new Error('unused'))], calls }
}

const failing = (error: unknown): Command => ({
  name: 'verify',
  summary: 'Verify.',
  usage: '',
  options: { json: flag('As JSON.') },
  examples: [],
  run: () => Promise.reject(error),
})

describe('options', () => {
  it('have their defaults when they are not given', async () => {
    const { commands, calls } = recorder()
    expect(await runIn(commands, ['simulate', 'fleet'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(calls).toEqual([
      {
        options: {
          for: 20_000,
          devices: 5,
          profile: 'steady',
          maxRate: undefined,
          store: undefined,
          json: false,
          help: false,
          verbose: false,
        },
        operands: [],
      },
    ])
  })

  it('are read into values, in any order, with or without =', async () => {
    const { commands, calls } = recorder()
    const line = 'simulate fleet --json --for=1m30s plant-1 --max-rate 7 --profile wild --store=-odd'
    expect((await runIn(commands, line.split(' '))).exitCode).toBe(0)
    expect(calls[0]?.options).toMatchObject({ for: 90_000, maxRate: 7, profile: 'wild', store: '-odd', json: true })
    expect(calls[0]?.operands).toEqual(['plant-1'])
  })

  it('end at --', async () => {
    const { commands, calls } = recorder()
    await runIn(commands, ['simulate', 'fleet', '--', '--json'])
    expect(calls[0]?.operands).toEqual(['--json'])
  })

  it.each([
    ['--devcies 3', 'OPTION_UNKNOWN: --devcies is not an option of `tidegate simulate fleet`; did you mean --devices?'],
    [
      '--zzz',
      'OPTION_UNKNOWN: --zzz is not an option of `tidegate simulate fleet`; `tidegate simulate fleet --help` lists its options',
    ],
    [
      '--for 20',
      "OPTION_INVALID: --for: expected a duration with its unit (ms, s, m, h, d, w, y) such as 250ms, 30s or 1h30m, got '20'",
    ],
    ['--devices 0', "OPTION_INVALID: --devices: expected a whole number of at least 1, got '0'"],
    ['--devices -1', "OPTION_INVALID: --devices: expected a whole number of at least 1, got '-1'"],
    ['--devices 1.5', "OPTION_INVALID: --devices: expected a whole number of at least 1, got '1.5'"],
    ['--profile mild', "OPTION_INVALID: --profile: expected one of steady, wild, got 'mild'"],
    ['--store --json', 'OPTION_INVALID: --store needs a value: --store DIR'],
    ['--store', 'OPTION_INVALID: --store needs a value: --store DIR'],
    ['--json=yes', "OPTION_INVALID: --json takes no value, got 'yes'"],
    ['a b', "OPERAND_UNEXPECTED: did not expect 'b'; usage: `tidegate simulate fleet [options] [SITE]`"],
  ])('refuse `%s`', async (line, problem) => {
    const { commands, calls } = recorder()
    const { exitCode, stderr } = await runIn(commands, ['simulate', 'fleet', ...line.split(' ')])
    // With --json on the line the same is said as an object.
    expect(stderr).toContain(line.includes(' --json') ? 'OPTION_INVALID' : `error ${problem}\n`)
    expect(exitCode).toBe(EXIT.usage)
    expect(calls).toEqual([])
  })
})

describe('commands', () => {
  it.each([
    [['verfy'], 'COMMAND_UNKNOWN: there is no command `tidegate verfy`; did you mean `tidegate verify`?'],
    [
      ['simulate', 'flet'],
      'COMMAND_UNKNOWN: there is no command `tidegate simulate flet`; did you mean `tidegate simulate fleet`?',
    ],
    [['simulat'], 'COMMAND_UNKNOWN: there is no command `tidegate simulat`; did you mean `tidegate simulate`?'],
    [['--json'], 'COMMAND_UNKNOWN: there is no command `tidegate --json`; `tidegate help` lists them'],
  ])('that do not exist get a suggestion: %j', async (args, problem) => {
    const { exitCode, stderr, stdout } = await runIn(recorder().commands, args)
    expect(stderr).toContain(args.includes('--json') ? 'COMMAND_UNKNOWN' : `error ${problem}\n`)
    expect([exitCode, stdout]).toEqual([EXIT.usage, ''])
  })

  it('are listed when none is given, as a usage error', async () => {
    const { exitCode, stderr, stdout } = await runIn(recorder().commands, [])
    expect(stderr).toContain('simulate fleet  Simulate a fleet.')
    expect([exitCode, stdout]).toEqual([EXIT.usage, ''])
  })

  it.each([['help'], ['--help'], ['-h']])('are listed by `%s`', async (word) => {
    const { exitCode, stdout } = await runIn(recorder().commands, [word])
    expect(stdout).toContain('verify          Verify.')
    expect(exitCode).toBe(EXIT.ok)
  })

  it('of a group are listed by its name', async () => {
    const listed = await runIn(recorder().commands, ['simulate', '--help'])
    expect(listed).toMatchObject({ exitCode: EXIT.ok, stderr: '' })
    expect(listed.stdout).toContain('simulate fleet')
    expect(listed.stdout).not.toContain('verify')
    expect((await runIn(recorder().commands, ['simulate'])).exitCode).toBe(EXIT.usage)
  })

  it.each([
    [['simulate', 'fleet', '--help']],
    [['simulate', 'fleet', '--nonsense', '-h']],
    [['help', 'simulate', 'fleet']],
  ])('explain themselves: %j', async (args) => {
    const { commands, calls } = recorder()
    const { exitCode, stdout } = await runIn(commands, args)
    expect(exitCode).toBe(EXIT.ok)
    expect(calls).toEqual([])
    for (const part of [
      'Usage: tidegate simulate fleet [options] [SITE]',
      '--for DURATION     How long. [20s]',
      '--profile PROFILE  Which signals. (steady, wild) [steady]',
      '--max-rate N ',
      'tidegate simulate fleet --devices 3\n      three devices',
      '  1    a device gave up',
      '  3    a person must mend something first',
    ]) {
      expect(stdout).toContain(part)
    }
  })

  it('say their version', async () => {
    expect(await runIn([], ['--version'])).toEqual({ exitCode: 0, stdout: 'tidegate 1.2.3\n', stderr: '' })
  })
})

describe('errors', () => {
  it.each([
    [new UsageError('X_USAGE', 'typed wrong'), EXIT.usage, 'error X_USAGE: typed wrong\n'],
    [new OperatorError('X_DAMAGED', 'damaged'), EXIT.operator, 'error X_DAMAGED: damaged\n'],
    [new RetryableError('X_AWAY', 'away'), EXIT.failed, 'error X_AWAY: away\n'],
    [
      new TypeError('oops'),
      EXIT.failed,
      'error UNEXPECTED: oops\nThis was not expected to happen. --verbose shows where it came from.\n',
    ],
    [
      'thrown',
      EXIT.failed,
      'error UNEXPECTED: thrown\nThis was not expected to happen. --verbose shows where it came from.\n',
    ],
  ])('become exit codes: %s', async (error, exitCode, stderr) => {
    expect(await runIn([failing(error)], ['verify'])).toEqual({ exitCode, stdout: '', stderr })
  })

  const nested = new OperatorError('X_DAMAGED', 'damaged', { cause: new Error('checksum') })

  it('show their causes with --verbose', async () => {
    expect((await runIn([failing(nested)], ['verify'])).stderr).toContain('--verbose shows what caused it')
    const { stderr } = await runIn([failing(nested)], ['verify', '--verbose'])
    expect(stderr).toMatch(/OperatorError: damaged\n {4}at .*Error: checksum\n {4}at /s)
  })

  it('are one JSON object on standard error with --json', async () => {
    const { stdout, stderr } = await runIn([failing(nested)], ['verify', '--json'])
    expect(stdout).toBe('')
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'X_DAMAGED', message: 'damaged', causes: [{ code: 'UNEXPECTED', message: 'checksum' }] },
    })
  })

  it('of being interrupted are no errors', async () => {
    const aborted = new DOMException('stopped', 'AbortError')
    const ran = await runIn([failing(aborted)], ['verify'], { signal: AbortSignal.abort() })
    expect(ran).toEqual({ exitCode: EXIT.interrupted, stdout: '', stderr: '' })
    expect((await runIn([failing(aborted)], ['verify'])).exitCode).toBe(EXIT.failed)
  })
})
