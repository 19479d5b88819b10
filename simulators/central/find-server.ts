import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import { fetchDebianServer } from './debian-package.ts'
import { run } from './process.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface FindOptions {
  env: Environment
  /** Where a downloaded server is kept; `$XDG_CACHE_HOME/tidegate` or `~/.cache/tidegate` unless said. */
  cacheDir?: string
  /** Told what takes a while, one line a call. */
  log?: (line: string) => void
}

export interface FoundServer {
  path: string
  /** `2.15.1` */
  version: string
  from: 'NATS_SERVER' | 'PATH' | 'cache' | 'download'
}

/** Compare-and-set packs run on older servers too, but 2.10 is the oldest line that the tests and the demo are run on. */
const OLDEST = [2, 10] as const

/**
 * A real nats-server to run: the one that `NATS_SERVER` names, else one on `PATH` that is new enough, else the copy in the
 * cache, else Debian's package, fetched into the cache from the machine's own mirror. Several processes may ask at once.
 *
 * @throws OperatorError `NATS_SERVER_UNUSABLE` when `NATS_SERVER` names something that does not run or is too old
 * @throws OperatorError `NATS_SERVER_MISSING` when there is none and none can be fetched; says the command to run
 */
export async function findNatsServer({ env, cacheDir = usualCache(env), log }: FindOptions): Promise<FoundServer> {
  const named = env['NATS_SERVER']
  if (named !== undefined && named !== '') {
    const version = await serverVersion(named)
    if (version !== null && newEnough(version)) return { path: named, version, from: 'NATS_SERVER' }
    throw new OperatorError(
      'NATS_SERVER_UNUSABLE',
      `NATS_SERVER: expected the path of nats-server ${OLDEST.join('.')} or newer, got '${named}' (${version ?? 'it does not run'})`,
    )
  }
  for (const path of await onPath(env)) {
    const version = await serverVersion(path)
    if (version !== null && newEnough(version)) return { path, version, from: 'PATH' }
    log?.(
      `${path} is nats-server ${version ?? 'that does not run'}, need ${OLDEST.join('.')} or newer: looking further`,
    )
  }
  const cached = join(cacheDir, 'nats-server')
  const cachedVersion = await serverVersion(cached)
  if (cachedVersion !== null && newEnough(cachedVersion)) return { path: cached, version: cachedVersion, from: 'cache' }

  await fetchDebianServer({ env, target: cached, log: log ?? (() => {}) })
  const version = await serverVersion(cached)
  if (version !== null && newEnough(version)) return { path: cached, version, from: 'download' }
  throw new OperatorError('NATS_SERVER_MISSING', `the fetched ${cached} does not run on this machine`)
}

/** The version that a binary says it is; null when it does not run. */
async function serverVersion(path: string): Promise<string | null> {
  const { exitCode, stdout } = await run(path, ['--version'], { timeout: 10_000 })
  return exitCode === 0 ? (/v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null) : null
}

/** Whether `version` (`2.15.1`) is at least the oldest that will do. */
export function newEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

async function onPath(env: Environment): Promise<string[]> {
  const found: string[] = []
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')) {
    const path = join(folder, 'nats-server')
    const runnable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runnable) found.push(path)
  }
  return found
}

function usualCache(env: Environment): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'tidegate')
}
