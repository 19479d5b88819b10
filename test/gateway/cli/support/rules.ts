import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { runCommandLine } from '../../../../gateway/cli/cli.ts'
import { COMMANDS } from '../../../../gateway/cli/commands/index.ts'
import type { ThresholdEvent } from '../../../../sync/contract/index.ts'
import { systemClock } from '../../../../sync/runtime/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { type Ran, runIn } from './context.ts'

export const tidegate = (...args: string[]): Promise<Ran> => runIn(COMMANDS, args)

/** The same with something on standard input. */
export async function fed(input: string | Readable, ...args: string[]): Promise<Ran> {
  return await fedUntil(null, input, ...args)
}

/** The same, and Ctrl-C as soon as it has written that. */
export async function fedUntil(written: string | null, input: string | Readable, ...args: string[]): Promise<Ran> {
  const stop = new AbortController()
  let [stdout, stderr] = ['', '']
  const exitCode = await runCommandLine(
    COMMANDS,
    args,
    {
      stdin: (typeof input === 'string' ? Readable.from([Buffer.from(input)]) : input) as unknown as NodeJS.ReadStream,
      stdout: {
        write(text) {
          stdout += text
          if (written !== null && stdout.includes(written)) stop.abort()
        },
      },
      stderr: { write: (text) => (stderr += text) },
      isTTY: false,
      env: {},
      clock: systemClock,
      signal: stop.signal,
    },
    '1.2.3',
  )
  return { exitCode, stdout, stderr }
}

export async function file(content: string, name = 'rules.yaml'): Promise<string> {
  const path = join(await tempDir(), name)
  await writeFile(path, content)
  return path
}

export const HOT = `
defaults: { severity: low }
rules:
  - id: hot
    match: { metric: temperature }
    above: { raise: 80, clear: 70 }
  - id: silent
    match: {}
    missing: { after: 1m }
    severity: critical
`

export const START = Date.parse('2026-05-01T12:00:00Z')

export const line = (value: number, seconds: number, more: object = {}): string =>
  JSON.stringify({ device: 'press-4', metric: 'temperature', value, time: START + seconds * 1000, ...more })

export const events = (stdout: string): ThresholdEvent[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((one) => JSON.parse(one) as ThresholdEvent)

export const kinds = (stdout: string): string[] =>
  events(stdout).map(({ rule, type }) => `${rule} ${type.split('.').at(-1)}`)
