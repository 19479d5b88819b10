import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const MAIN = `${process.execPath} --import tsx gateway/cli/main.ts`

/** Runs a shell line in the project's folder. */
function shell(line: string): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', `set -o pipefail; ${line}`], { cwd: ROOT, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

it('says the version of the package', async () => {
  const { stdout, exitCode } = await shell(`${MAIN} --version`)
  expect(stdout).toMatch(/^tidegate \d+\.\d+\.\d+\n$/)
  expect(exitCode).toBe(0)
})

it('ends with the exit code of what went wrong', async () => {
  const { stderr, exitCode } = await shell(`${MAIN} config chck`)
  expect(stderr).toBe(
    'error COMMAND_UNKNOWN: there is no command `tidegate config chck`; did you mean `tidegate config check`?\n',
  )
  expect(exitCode).toBe(2)
})

it('writes everything before it ends, into a pipe too', async () => {
  const { stdout } = await shell(`${MAIN} config reference | cat`)
  expect(stdout.trimEnd().split('\n').at(-1)).toContain('`log.level`')
})

it('does not complain when its reader goes away', async () => {
  const { stdout, stderr } = await shell(`${MAIN} config reference | head -n 1`)
  expect([stdout, stderr]).toEqual(['# Configuration\n', ''])
})
