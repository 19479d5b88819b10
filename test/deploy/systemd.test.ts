import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../gateway/cli/commands/index.ts'
import { parseConfig } from '../../gateway/config/index.ts'
import { run } from '../../simulators/central/process.ts'
import { tempDir } from '../support/temp-dir.ts'

const UNIT = fileURLToPath(new URL('../../deploy/systemd/tidegate.service', import.meta.url))

/** Settings by name; a name may stand several times. */
async function settings(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  for (const line of (await readFile(UNIT, 'utf8')).split('\n')) {
    const [, name = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
    if (name !== '') found.set(name, [...(found.get(name) ?? []), value])
  }
  return found
}

const hasSystemd = (await run('systemd-analyze', ['--version'], { timeout: 10_000 })).exitCode === 0

describe('the systemd unit', () => {
  it('has the hardening that it promises', async () => {
    const unit = await settings()
    for (const [name, value] of Object.entries({
      DynamicUser: 'yes',
      StateDirectory: 'tidegate',
      Restart: 'always',
      NoNewPrivileges: 'yes',
      ProtectSystem: 'strict',
      CapabilityBoundingSet: '',
      TimeoutStopSec: '30',
      LimitNOFILE: '65536',
    })) {
      expect(unit.get(name), name).toEqual([value])
    }
    expect(unit.has('MemoryMax')).toBe(true)
    // It would stop the JavaScript compiler.
    expect(unit.has('MemoryDenyWriteExecute')).toBe(false)
  })

  it('calls a command that exists, with variables that exist', async () => {
    const unit = await settings()
    const [line = ''] = unit.get('ExecStart') ?? []
    const [, name, option] = /tidegate\.js (\w+) (--\w+) /.exec(line) ?? []
    const command = COMMANDS.find((candidate) => candidate.name === name)
    expect(Object.keys(command?.options ?? {}).map((key) => `--${key}`)).toContain(option)
    const env = Object.fromEntries((unit.get('Environment') ?? []).map((pair) => pair.split('=') as [string, string]))
    expect(parseConfig('site: a\ngateway: b\n', env).dataDir).toBe('/var/lib/tidegate')
  })

  it('is accepted by systemd where there is one', async () => {
    // Only the program's path differs: it must exist for the check.
    const unit = (await readFile(UNIT, 'utf8')).replace('/usr/bin/node', process.execPath)
    const file = join(await tempDir(), 'tidegate.service')
    await writeFile(file, unit)
    const checked = await run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file], {
      timeout: 20_000,
    })
    if (hasSystemd) expect(checked).toMatchObject({ exitCode: 0, output: '' })
    else expect(checked.exitCode).toBeNull()
  })
})
