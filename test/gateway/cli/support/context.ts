import { runCommandLine } from '../../../../gateway/cli/cli.ts'
import type { Command, Context } from '../../../../gateway/cli/command.ts'
import { systemClock } from '../../../../sync/runtime/index.ts'

export interface Ran {
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs a command line in this process and collects what it writes. */
export async function runIn(
  commands: readonly Command[],
  args: readonly string[],
  context: Partial<Pick<Context, 'env' | 'signal'>> = {},
): Promise<Ran> {
  let [stdout, stderr] = ['', '']
  const exitCode = await runCommandLine(
    commands,
    args,
    {
      stdin: process.stdin,
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      isTTY: false,
      env: {},
      clock: systemClock,
      signal: new AbortController().signal,
      ...context,
    },
    '1.2.3',
  )
  return { exitCode, stdout, stderr }
}
