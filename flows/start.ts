import { access } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Bytes, OperatorError } from '../sync/contract/index.ts'
import type { Clock, Random } from '../sync/runtime/index.ts'
import { prepare, TOKEN_VARIABLE } from './settings/index.ts'
import { type FlowsLogEntry, FlowsProcess, type FlowsStatus, type SupervisorSettings } from './supervisor/index.ts'

export interface FlowsOptions {
  /** Where Node-RED keeps its flows, credentials and context; made if it is not there. */
  userDir: string
  /** The gateway's `api.json`. It need not be there yet. */
  apiFile: string
  /** Where the editor is found. The same at every start, so that an open editor finds it again. */
  port: number
  /** Interface to listen on; `127.0.0.1` unless said. */
  host?: string
  log: (entry: FlowsLogEntry) => void
  /** Told the administrator's password, once in the life of the user folder: it is kept nowhere. */
  onPassword: (login: { user: string; password: string }) => void
  clock: Clock
  random: Random
  /** File name of the example to begin with, below `examples/`; null = an empty sheet. */
  example?: string | null
  /** Opens the editor without running the flows until somebody deploys: to mend a flow that brings Node-RED down. */
  safe?: boolean
  /** JavaScript heap of the process at most: a flow that hoards must not take the gateway's memory. */
  heap?: Bytes
  settings?: Partial<SupervisorSettings>
}

export interface Flows {
  /** Where the editor is. */
  readonly url: string
  status(): FlowsStatus
  /** Ends Node-RED; the rules that its nodes have deployed stay in force. */
  stop(): Promise<void>
}

/** What people meet first. */
const FIRST_EXAMPLE = 'temperature-ladder.json'

const HEAP: Bytes = 256 * 2 ** 20

/** What a process needs to run at all, and to reach a proxy or a certificate that the machine prescribes. */
const INHERITED = [
  ...['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS'],
]

/**
 * Starts Node-RED beside the gateway and keeps it running. Returns when the process has been started; `status` tells when it is up.
 *
 * @throws OperatorError `FLOWS_NOT_INSTALLED` when the optional package node-red is not there
 * @throws OperatorError `FLOWS_SECRETS_DAMAGED`
 */
export async function startFlows(options: FlowsOptions): Promise<Flows> {
  const { userDir, apiFile, port, host = '127.0.0.1', log, clock, random } = options
  const entry = findNodeRed()
  const nodesDir = await findNodes()
  const example = options.example === undefined ? FIRST_EXAMPLE : options.example
  const { settingsFile, newPassword } = await prepare({
    userDir,
    nodesDir,
    helpers: join(nodesDir, 'settings/in-node-red.js'),
    port,
    host,
    random,
    example: example === null ? null : join(nodesDir, 'examples', example),
  })
  if (newPassword !== null) options.onPassword({ user: 'admin', password: newPassword })
  const token = random.hex(32)
  const url = `http://${reachable(host)}:${port}`
  const supervisor = new FlowsProcess({
    command: {
      program: process.execPath,
      args: [
        ...flags(options.heap ?? HEAP),
        entry,
        '--settings',
        settingsFile,
        ...(options.safe === true ? ['--safe'] : []),
      ],
      cwd: userDir,
      env: { ...inherited(process.env), TIDEGATE_API: apiFile, [TOKEN_VARIABLE]: token },
    },
    target: { url, token },
    clock,
    random,
    log,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  })
  supervisor.start()
  return { url, status: () => supervisor.status(), stop: () => supervisor.stop() }
}

function findNodeRed(): string {
  try {
    return createRequire(import.meta.url).resolve('node-red/red.js')
  } catch (cause) {
    throw new OperatorError(
      'FLOWS_NOT_INSTALLED',
      'expected the package node-red beside Tidegate, found none. Run: npm install --include=optional',
      { cause },
    )
  }
}

/** The compiled nodes: beside this file, or, when it is part of a bundle, beside the bundle's folder. */
async function findNodes(): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url))
  for (const folder of [here, join(here, '../flows'), join(here, '../dist/flows')]) {
    const built = await access(join(folder, 'settings/in-node-red.js')).then(
      () => true,
      () => false,
    )
    if (built) return folder
  }
  throw new OperatorError('FLOWS_NOT_BUILT', `expected the compiled nodes near ${here}, found none. Run: npm run build`)
}

function flags(heap: Bytes): string[] {
  // Node-RED requires our nodes, which are ES modules: Node.js 22 needed to be told up to 22.11, and older ones say each time that it is new.
  const esm = '--experimental-require-module'
  return [
    `--max-old-space-size=${Math.ceil(heap / 2 ** 20)}`,
    '--disable-warning=ExperimentalWarning',
    ...(process.allowedNodeEnvironmentFlags.has(esm) ? [esm] : []),
  ]
}

/** How this machine reaches an interface: all of them, by its own. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

const inherited = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
