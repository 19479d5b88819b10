import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { centralApply, type StreamChange } from '../../../gateway/cli/commands/central-apply.ts'
import { COMMANDS } from '../../../gateway/cli/commands/index.ts'
import { configExampleYaml, configReferenceMarkdown, parseConfig } from '../../../gateway/config/index.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { runIn } from './support/context.ts'

async function configFile(text: string): Promise<string> {
  const file = join(await tempDir(), 'plant.yaml')
  await writeFile(file, text)
  return file
}

const VALID = 'site: a\ngateway: b\n'

describe('every command', () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s shows how to use it',
    async (name, command) => {
      expect(command.examples.length).toBeGreaterThan(0)
      for (const example of command.examples) expect(example.command).toContain(`tidegate ${name}`)
      const { exitCode, stdout } = await runIn(COMMANDS, [...name.split(' '), '--help'])
      expect([exitCode, stdout.split('\n')[0]]).toEqual([0, `Usage: tidegate ${name} ${command.usage}`.trimEnd()])
    },
  )

  it('has a name of its own', () => {
    const names = COMMANDS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('config check', () => {
  it('says that a file is valid', async () => {
    const file = await configFile(VALID)
    expect(await runIn(COMMANDS, ['config', 'check', '--config', file])).toEqual({
      exitCode: 0,
      stdout: `${file} is valid\n`,
      stderr: '',
    })
  })

  it('finds the file by TIDEGATE_CONFIG', async () => {
    const file = await configFile(VALID)
    const { stdout } = await runIn(COMMANDS, ['config', 'check'], { env: { TIDEGATE_CONFIG: file } })
    expect(stdout).toBe(`${file} is valid\n`)
  })

  it('shows what is in effect, without secrets', async () => {
    const file = await configFile(`${VALID}central: { token: hush }\n`)
    const { stdout } = await runIn(COMMANDS, ['config', 'check', '--config', file, '--json'], {
      env: { TIDEGATE_OUTBOX_MAX_BYTES: '2GB' },
    })
    expect(stdout).not.toContain('hush')
    expect(JSON.parse(stdout)).toMatchObject({ outbox: { maxBytes: 2e9 }, central: { token: '(hidden)' } })
  })

  it('ends with 3 and every problem', async () => {
    const file = await configFile('site: a\nlog: { level: loud }\n')
    const { exitCode, stderr } = await runIn(COMMANDS, ['config', 'check', '--config', file])
    expect(exitCode).toBe(3)
    expect(stderr).toContain('error CONFIG_INVALID: the configuration has 2 problems:')
    expect(stderr).toContain('plant.yaml: gateway: expected a text')
    expect(stderr).toContain('plant.yaml:2: log.level: expected one of trace,')
  })
})

describe('texts made from the schema', () => {
  it('go to standard output', async () => {
    expect((await runIn(COMMANDS, ['config', 'reference'])).stdout).toBe(configReferenceMarkdown())
    expect(JSON.parse((await runIn(COMMANDS, ['config', 'schema'])).stdout)).toMatchObject({ type: 'object' })
  })

  it('or to a file', async () => {
    const file = join(await tempDir(), 'example.yaml')
    expect(await runIn(COMMANDS, ['config', 'example', '--out', file])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(await readFile(file, 'utf8')).toBe(configExampleYaml())
  })
})

describe('central apply', () => {
  const changes: StreamChange[] = [
    { stream: 'READINGS', action: 'created', changes: [] },
    { stream: 'EVENTS', action: 'updated', changes: ['replicas: 1 -> 3'] },
    { stream: 'LATEST', action: 'unchanged', changes: [] },
  ]

  it('passes the central part of the configuration on and says what was done', async () => {
    const file = await configFile(VALID)
    const calls: unknown[] = []
    const command = centralApply(async (central, options) => {
      calls.push([central, options.dryRun])
      return changes
    })
    const done = await runIn([command], ['central', 'apply', '--config', file])
    expect(done.stdout).toBe('READINGS created\nEVENTS updated (replicas: 1 -> 3)\nLATEST unchanged\n')
    const planned = await runIn([command], ['central', 'apply', '--config', file, '--dry-run'])
    expect(planned.stdout).toBe(
      'READINGS would be created\nEVENTS would be updated (replicas: 1 -> 3)\nLATEST unchanged\n',
    )
    const { central } = parseConfig(VALID, {})
    expect(calls).toEqual([
      [central, false],
      [central, true],
    ])
  })
})
