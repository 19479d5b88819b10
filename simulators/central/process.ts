import { execFile } from 'node:child_process'

export interface Outcome {
  /** Null when the program could not be started or was ended by a signal. */
  exitCode: number | null
  stdout: string
  /** Both streams and the reason it could not be started, for messages. */
  output: string
}

export interface RunOptions {
  cwd?: string
  env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds after which it is ended. */
  timeout: number
}

/** Runs a program to its end. Never rejects: what went wrong is in the outcome. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const { cwd, env = process.env, timeout } = options
  return new Promise((resolve) => {
    const failed = (reason: string): void => resolve({ exitCode: null, stdout: '', output: reason })
    try {
      execFile(
        program,
        [...args],
        { cwd, env: { ...env }, timeout, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 },
        (error, stdout, stderr) => {
          const output = `${stdout}\n${stderr}`.trim()
          if (error === null) resolve({ exitCode: 0, stdout, output })
          else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, output })
          else failed(`${output}\n${error.message}`.trim())
        },
      )
    } catch (error) {
      // Some errors of starting a program (a file in the place of a folder) are thrown, not called back.
      failed(error instanceof Error ? error.message : String(error))
    }
  })
}
