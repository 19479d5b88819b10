import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = new URL('../../../', import.meta.url)

/** Runs the bootstrap as if by another version of Node. */
function runAs(version: string): Promise<{ exitCode: number; stderr: string }> {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`
  const args = ['--import', preload, fileURLToPath(new URL('deploy/bootstrap.mjs', ROOT)), 'nonsense']
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, _, stderr) => resolve({ exitCode: Number(error?.code ?? 0), stderr }))
  })
}

it.each(['12.22.0', '18.20.8', '20.18.3'])('says that Node %s is too old, and what to do', async (version) => {
  const { exitCode, stderr } = await runAs(version)
  expect(stderr).toBe(
    `Tidegate needs Node.js 20.19 or newer, this is ${version}. With nvm: nvm install 22 && nvm use 22\n`,
  )
  expect(exitCode).toBe(3)
})

it.each(['20.19.0', '22.0.0', '26.1.0'])('goes on with Node %s', async (version) => {
  const { exitCode, stderr } = await runAs(version)
  expect(stderr).toBe(
    "tidegate: expected one of start, test, chaos, browser, bench, faults, build, docs, got 'nonsense'\n",
  )
  expect(exitCode).toBe(2)
})

it('asks for the same version as the package', async () => {
  const { engines } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as { engines: { node: string } }
  expect(engines.node).toBe('>=20.19')
})
