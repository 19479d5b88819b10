import { join } from 'node:path'
import { ensureBuilt } from './build.mjs'
import { ensureInstalled } from './install.mjs'
import { withLock } from './lock.mjs'
import { built, builtUrl, ROOT, run, say } from './process.mjs'
import { NOTHING_RAN, runTests } from './tests.mjs'

/** What can be asked for: `node deploy/bootstrap.mjs TASK [arguments]`. */
const TASKS = {
  /** @param {string[]} args */
  async start(args) {
    await become('bin/tidegate.js', ['demo', ...args], 'with server')
  },
  /** @param {string[]} args */
  async test(args) {
    await testTask(args)
  },
  /** @param {string[]} args */
  async chaos(args) {
    await testTask(['--config', 'test/chaos/vitest.config.ts', ...args])
  },
  /** @param {string[]} args */
  async browser(args) {
    await testTask(['--config', 'test/browser/vitest.config.ts', ...args])
  },
  /** @param {string[]} args */
  async bench(args) {
    await become('test/bench/main.js', args, 'with server')
  },
  /** @param {string[]} args */
  async faults(args) {
    await become('simulators/world/command/main.js', args, 'alone')
  },
  async build() {
    await prepare()
  },
  async docs() {
    await prepare()
    for (const { what, file } of GENERATED) {
      await runOrEnd([built('bin/tidegate.js'), 'config', what, '--out', file])
    }
    await runOrEnd([built('docs/pictures/main.js')])
    await runOrEnd([join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', 'deploy'])
  },
}

/** Files that are made from the configuration schema. */
const GENERATED = [
  { what: 'reference', file: 'docs/configuration.md' },
  { what: 'example', file: 'deploy/tidegate.yaml' },
  { what: 'schema', file: 'deploy/tidegate.schema.json' },
]

/** @param {string[]} args */
export async function main([task = '', ...args]) {
  process.chdir(ROOT)
  if (!Object.hasOwn(TASKS, task)) {
    say(`expected one of ${Object.keys(TASKS).join(', ')}, got '${task}'`)
    process.exit(2)
  }
  await TASKS[/** @type {keyof typeof TASKS} */ (task)](args)
}

/**
 * Runs a program of ours, and ends here if it fails.
 *
 * @param {string[]} args
 */
async function runOrEnd(args) {
  const { exitCode } = await run(process.execPath, args)
  if (exitCode !== 0) process.exit(1)
}

/** Ends here when something could not be set up; it has been said why. */
async function prepare() {
  if (!(await setUp())) process.exit(1)
}

/** Installs and builds what is missing or out of date. */
const setUp = () => withLock(async () => (await ensureInstalled()) && (await ensureBuilt()))

/**
 * Finds a nats-server, or fetches one, once for everything that this process starts.
 *
 * @returns {Promise<boolean>} false when there is none; it has been said what to do
 */
async function findServer() {
  /** @type {typeof import('../../simulators/central/index.ts')} */
  const { findNatsServer } = await import(builtUrl('simulators/central/index.js'))
  try {
    const { path } = await findNatsServer({ env: process.env, log: say })
    process.env['NATS_SERVER'] = path
    return true
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return false
  }
}

/** @param {string[]} args */
async function testTask(args) {
  if ((await setUp()) && (await findServer())) process.exit(await runTests(args))
  process.stdout.write(`${NOTHING_RAN}\n`)
  process.exit(1)
}

/**
 * Goes on as that program, in this very process: signals, terminal and exit code are its own.
 *
 * @param {string} program below dist/
 * @param {string[]} args
 * @param {'with server' | 'alone'} company whether it needs a nats-server
 */
async function become(program, args, company) {
  await prepare()
  if (company === 'with server' && !(await findServer())) process.exit(3)
  process.argv = [process.execPath, built(program), ...args]
  await import(builtUrl(program))
}
