import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { COMMANDS } from '../../../gateway/cli/commands/index.ts'
import { configExampleYaml, configReferenceMarkdown } from '../../../gateway/config/index.ts'
import { startCentral } from '../../../simulators/central/index.ts'
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
  it('says what it would do, does it, and finds nothing to do the next time', async () => {
    const server = await startCentral({ dir: await tempDir() })
    onTestFinished(() => server.kill())
    const config = await configFile(VALID)
    const apply = (env: Record<string, string>, ...args: string[]) =>
      runIn(COMMANDS, ['central', 'apply', '--config', config, ...args], {
        env: { TIDEGATE_CENTRAL_SERVERS: server.url, ...env },
      })
    const lines = (text: string) => ['READINGS', 'EVENTS', 'DEADLETTERS', 'LATEST'].map((name) => `${name} ${text}`)
    const stdout = async (env: Record<string, string>, ...args: string[]) => {
      const ran = await apply(env, ...args)
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' })
      return ran.stdout.trimEnd().split('\n')
    }

    expect(await stdout({}, '--dry-run')).toEqual(expect.arrayContaining(lines('would be created')))
    expect(await stdout({})).toEqual(expect.arrayContaining(lines('created')))
    expect(await stdout({})).toEqual(expect.arrayContaining(lines('unchanged')))
    const bounded = { TIDEGATE_CENTRAL_MAX_BYTES: '5MB' }
    expect(await stdout(bounded)).toContainEqual(expect.stringMatching(/^READINGS updated \(max_bytes: .* -> 5/))
    const changes = JSON.parse((await stdout(bounded, '--json')).join('')) as unknown
    expect(changes).toContainEqual({ stream: 'READINGS', action: 'unchanged', changes: [] })
  })
})
