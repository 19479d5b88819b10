import type { Secrets } from './secrets.ts'

export interface SettingsParts {
  userDir: string
  /** The folder with our nodes' package.json. */
  nodesDir: string
  /** The compiled `in-node-red.js`. */
  helpers: string
  port: number
  /** Interface to listen on; `127.0.0.1` unless somebody decided otherwise. */
  host: string
  secrets: Secrets
}

/** The file that holds the flows, below the user folder. */
export const FLOW_FILE = 'flows.json'

/** Nodes that start programs, open raw sockets, or read and write any file that the gateway's user may. */
const EXCLUDED = ['90-exec.js', '31-tcpin.js', '32-udp.js', '10-file.js', '23-watch.js']

/** Seconds after which a function node that does not come to an end is stopped: well before the supervisor would kill it all. */
const FUNCTION_TIMEOUT = 3

/** Seconds between two writes of what flows keep in their context. */
const CONTEXT_FLUSH = 5

/**
 * Node-RED's settings as the text of a file, locked down: nobody without the password, nothing from outside this machine, no
 * module from the network, nothing told to anybody.
 */
export function settingsText({ userDir, nodesDir, helpers, port, host, secrets }: SettingsParts): string {
  const settings = {
    uiHost: host,
    uiPort: port,
    userDir,
    flowFile: FLOW_FILE,
    flowFilePretty: true,
    nodesDir,
    nodesExcludes: EXCLUDED,
    credentialSecret: secrets.credentialSecret,
    // `allowInstall: false` only takes the button away from the editor: `noInstalls` below is what holds. A list of denied modules
    // would also keep out what the machine's owner installs by hand in the user folder.
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpdate: false, allowUpload: false, upload: false },
      modules: { allowInstall: false, allowList: [], denyList: ['*'] },
    },
    functionExternalModules: false,
    globalFunctionTimeout: FUNCTION_TIMEOUT,
    exportGlobalContextKeys: false,
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: false, ui: false },
    runtimeState: { enabled: false, ui: false },
    contextStorage: { default: { module: 'localfilesystem', config: { flushInterval: CONTEXT_FLUSH } } },
    editorTheme: {
      page: { title: 'Tidegate flows' },
      header: { title: 'Tidegate' },
      tours: false,
      palette: { catalogues: [], categories: ['tidegate', 'common', 'function', 'network'] },
      projects: { enabled: false },
      multiplayer: { enabled: false },
      codeEditor: { lib: 'monaco' },
    },
  }
  return `// Made by Tidegate at every start: changes here are lost. docs/node-red.md says what can be set, and where.
const { logHandler, noInstalls, supervisor } = require(${JSON.stringify(helpers)})

module.exports = {
  ...${JSON.stringify(settings, null, 2)},
  adminAuth: {
    type: 'credentials',
    users: [{ username: 'admin', password: ${JSON.stringify(secrets.passwordHash)}, permissions: '*' }],
    tokens: supervisor(),
  },
  httpAdminMiddleware: noInstalls,
  logging: { tidegate: { level: 'info', metrics: false, audit: false, handler: logHandler } },
}
`
}
