import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import { type Outcome, run } from './process.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface FetchOptions {
  env: Environment
  /** Where the binary goes; it appears there whole or not at all. */
  target: string
  log: (line: string) => void
}

/** Carries nats-server 2.15, which needs nothing but a libc that Debian 12 has too. */
const SUITE = 'forky'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const WORK_PREFIX = '.fetch-'
const STALE = 3_600_000

/**
 * Fetches Debian's nats-server package and puts its binary at `target`, without touching the system: apt works on a state of its
 * own, from the mirror that the machine is configured with, and checks signature and hash as ever. No special rights needed.
 *
 * @throws OperatorError `NATS_SERVER_MISSING`, with the command to run, when this machine has no Debian mirror or it does not answer
 */
export async function fetchDebianServer({ env, target, log }: FetchOptions): Promise<void> {
  const mirrors = await debianMirrors(env)
  if (mirrors.length === 0) throw await missing('this machine has no Debian mirror to fetch it from')
  const folder = dirname(target)
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new OperatorError(
      'CACHE_UNWRITABLE',
      `expected to be able to create ${folder} to keep nats-server in; set XDG_CACHE_HOME to a folder that can be written`,
      { cause },
    )
  })
  await sweep(folder)
  // Beside the target, so that the last step is a rename: two processes that fetch at once do not see each other's half.
  const work = await mkdtemp(join(folder, WORK_PREFIX))
  try {
    const failures: string[] = []
    for (const mirror of mirrors) {
      log(`no nats-server here yet: fetching Debian's package from ${mirror} (about 15 MB, once)`)
      const failure = await fetchFrom(mirror, work, env)
      if (failure === null) {
        const binary = join(work, 'nats-server')
        await copyFile(join(work, 'root/usr/sbin/nats-server'), binary)
        await chmod(binary, 0o755)
        await rename(binary, target)
        return
      }
      failures.push(`${mirror}: ${failure}`)
    }
    throw await missing(`fetching Debian's package failed (${failures.join('; ')})`)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** @returns what went wrong, or null when the package lies unpacked in `work/root` */
async function fetchFrom(mirror: string, work: string, env: Environment): Promise<string | null> {
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'etc']) {
    await mkdir(join(work, folder), { recursive: true })
  }
  await writeFile(
    join(work, 'etc/mirror.sources'),
    ['Types: deb', `URIs: ${mirror}`, `Suites: ${SUITE}`, 'Components: main', `Signed-By: ${KEYRING}`, ''].join('\n'),
  )
  const apt = (...command: string[]): Promise<Outcome> =>
    run('apt-get', [...aptOptions(work), ...command], { cwd: work, env, timeout: 300_000 })
  const update = await apt('update')
  if (update.exitCode !== 0) return lastLine(update)
  const download = await apt('download', 'nats-server')
  if (download.exitCode !== 0) return lastLine(download)
  const archive = (await readdir(work)).find((name) => name.endsWith('.deb'))
  if (archive === undefined) return 'apt-get download left no package'
  const unpack = await run('dpkg-deb', ['--extract', archive, 'root'], { cwd: work, env, timeout: 60_000 })
  return unpack.exitCode === 0 ? null : lastLine(unpack)
}

const aptOptions = (work: string): string[] =>
  [
    `Dir::State=${work}/state`,
    `Dir::Cache=${work}/cache`,
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::Etc::sourceparts=${work}/etc`,
    // apt would otherwise hand the download to a user that cannot enter this folder.
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=30',
    'Acquire::https::Timeout=30',
    'APT::Update::Error-Mode=any',
  ].flatMap((option) => ['-o', option])

/**
 * Addresses of the Debian mirrors that apt is configured with, best first. From `apt-get indextargets`; on a machine whose
 * package lists were never fetched (a fresh container) that prints nothing, so from what `apt-get update` would fetch.
 */
async function debianMirrors(env: Environment): Promise<string[]> {
  const format = '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)'
  const targets = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    env,
    timeout: 30_000,
  })
  if (targets.exitCode !== 0) return []
  const listed = mirrorsOfTargets(targets.stdout)
  if (listed.length > 0) return listed
  const plan = await run('apt-get', ['update', '--print-uris'], { env, timeout: 30_000 })
  return mirrorsOfPlan(plan.stdout, await osRelease('VERSION_CODENAME'))
}

/** From lines `uri|release|component|origin`: where Debian's own main archive comes from. */
export function mirrorsOfTargets(output: string): string[] {
  const rows = output.split('\n').map((row) => row.split('|'))
  const main = rows.filter(
    ([, release = '', component, origin]) => component === 'main' && origin === 'Debian' && !release.includes('-'),
  )
  return [...new Set(main.flatMap(([uri]) => uri ?? []))]
}

/** From `apt-get update --print-uris`: where the archive of this release comes from. Others are sorted out by their signature. */
export function mirrorsOfPlan(output: string, codename: string | null): string[] {
  const uris = [...output.matchAll(/^'(\S+)\/dists\/([^/\s]+)\/main\//gm)]
  return [
    ...new Set(uris.flatMap(([, uri, release]) => (release === codename && uri !== undefined ? [`${uri}/`] : []))),
  ]
}

async function osRelease(key: string): Promise<string | null> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? null
}

async function missing(why: string): Promise<OperatorError> {
  const command = installCommand(process.platform, await osRelease('ID'))
  return new OperatorError(
    'NATS_SERVER_MISSING',
    `expected nats-server 2.10 or newer on PATH, found none, and ${why}. ${command} Or set NATS_SERVER to the path of one.`,
  )
}

/** What to type to get a nats-server. */
export function installCommand(platform: NodeJS.Platform, distribution: string | null): string {
  if (platform === 'darwin') return 'Run: brew install nats-server'
  switch (distribution) {
    case 'debian':
    case 'ubuntu':
      return 'Run: sudo apt-get install nats-server'
    case 'alpine':
      return 'Run: apk add nats-server'
    case 'arch':
      return 'Run: sudo pacman -S nats-server'
    default:
      return 'Run: go install github.com/nats-io/nats-server/v2@latest'
  }
}

/** Removes what killed processes left behind. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(WORK_PREFIX)) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > STALE) await rm(path, { recursive: true, force: true })
  }
}

const lastLine = ({ output }: Outcome): string => output.split('\n').at(-1) ?? 'no output'
