import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * A compiled file.
 *
 * @param {string} path below dist/
 */
export const built = (path) => join(ROOT, 'dist', path)

/**
 * The same, for `import()`.
 *
 * @param {string} path below dist/
 */
export const builtUrl = (path) => pathToFileURL(built(path)).href

/**
 * One line for the person who waits. On standard error: standard output belongs to the program that is started.
 *
 * @param {string} line
 */
export const say = (line) => {
  process.stderr.write(`tidegate: ${line}\n`)
}

/**
 * Runs a program to its end. Its standard output goes to standard error unless `stdout` says otherwise.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ stdout?: 'inherit' | 'stderr', env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ exitCode: number }>} 128 and the signal's number when a signal ended it, as shells have it
 */
export function run(program, args, { stdout = 'stderr', env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['inherit', stdout === 'stderr' ? 2 : 1, 2] })
    const stopForwarding = forwardSignals(child)
    child.once('error', (error) => {
      stopForwarding()
      say(`could not run ${program}: ${error.message}`)
      resolve({ exitCode: 127 })
    })
    child.once('exit', (code, signal) => {
      stopForwarding()
      resolve({ exitCode: code ?? 128 + (SIGNAL_NUMBERS[/** @type {Forwarded} */ (signal)] ?? 9) })
    })
  })
}

/** @typedef {keyof typeof SIGNAL_NUMBERS} Forwarded */
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {() => void}
 */
function forwardSignals(child) {
  const forwards = Object.keys(SIGNAL_NUMBERS).map((name) => {
    const signal = /** @type {Forwarded} */ (name)
    const forward = () => {
      // Ctrl-C reaches the child by itself, for it belongs to the same terminal; a second one would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    }
    process.on(signal, forward)
    return () => process.off(signal, forward)
  })
  return () => {
    for (const stop of forwards) stop()
  }
}
