import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, run } from './process.mjs'

/**
 * @typedef {object} TestReport the parts of vitest's JSON report that are counted
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults
 */

/** @param {{ passed: number, failed: number }} counts */
const lastLine = ({ passed, failed }) => `${passed} passed, ${failed} failed`

/** The last line when it did not come to running any test: that is a failure too. */
export const NOTHING_RAN = lastLine({ passed: 0, failed: 1 })

/**
 * Runs the tests and ends with the line `N passed, N failed`.
 *
 * @param {string[]} args for vitest
 * @returns {Promise<number>} exit code: 0 when at least one test passed and none failed
 */
export async function runTests(args) {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-tests-'))
  try {
    const report = join(folder, 'report.json')
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const { exitCode } = await run(process.execPath, [vitest, 'run', ...reporters, ...args], { stdout: 'inherit' })
    const counts = countTests(await readReport(report), exitCode)
    process.stdout.write(`${lastLine(counts)}\n`)
    return counts.failed > 0 ? exitCode || 1 : exitCode
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * What the run came to. A file that could not even be loaded counts as one failure, and so does a run that failed outside of
 * any test (an unhandled rejection, a crash, nothing to run).
 *
 * @param {TestReport | null} report null when vitest did not get as far as writing one
 * @param {number} exitCode
 */
export function countTests(report, exitCode) {
  const files = report?.testResults ?? []
  const broken = files.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = (report?.numFailedTests ?? 0) + broken.length
  return { passed: report?.numPassedTests ?? 0, failed: failed === 0 && exitCode !== 0 ? 1 : failed }
}

/**
 * @param {string} file
 * @returns {Promise<TestReport | null>}
 */
async function readReport(file) {
  const text = await readFile(file, 'utf8').catch(() => null)
  return text === null ? null : JSON.parse(text)
}
