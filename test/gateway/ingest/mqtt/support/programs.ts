import { execFile } from 'node:child_process'

export interface Ran {
  code: number
  output: string
}

/** Runs a program to its end, with what it is to read. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
      resolve({ code, output: stdout + stderr })
    })
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

/**
 * Why real clients cannot be tried out here; null = they can. With `TEST_CLIENTS=required` that is an error: a machine that is to have them must
 * not pass without them.
 */
export async function whyNot(name: string, ...ways: readonly (readonly string[])[]): Promise<string | null> {
  for (const [program = '', ...args] of ways) if ((await run(program, args)).code === 0) return null
  const reason = `skipped: ${name} is not on this machine (Debian: apt-get install ${name})`
  if (process.env['TEST_CLIENTS'] === 'required') throw new Error(reason)
  // The reporter tells nothing of what is skipped.
  process.stderr.write(`${reason}\n`)
  return reason
}
