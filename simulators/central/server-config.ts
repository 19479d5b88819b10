import { join } from 'node:path'

/** What a test, demo or bench may want of a server beyond JetStream. */
export interface ServerSettings {
  /** Address that clients find it at, one of this machine's; the loopback's unless set. */
  host?: string
  /** When JetStream fsyncs: `always`, or a duration such as `2m`; the server's own default (2 minutes) unless set. */
  syncInterval?: string
  /** Largest message in bytes; the server's own default (1 MiB) unless set. */
  maxPayload?: number
  /** JetStream domain, for leaf nodes. */
  domain?: string
  /** Accept MQTT connections, on a port of its own. */
  mqtt?: boolean
  /** Accept leaf node connections, on a port of its own. */
  leafnodes?: boolean
  /** Be a leaf node of this server: `nats-leaf://127.0.0.1:7422`. */
  leafRemote?: string
  /** Any further configuration, as text; wins over the rest where it says the same. */
  extraConfig?: string
}

/** The ports of one server, all on loopback but the clients'. */
export interface ServerPorts {
  client: number
  /** HTTP monitoring. */
  monitor: number
  cluster?: number
  mqtt?: number
  leaf?: number
}

export interface ServerIdentity {
  name: string
  dir: string
  ports: ServerPorts
  /** Cluster ports of all nodes, this one included; empty for a server on its own. */
  routes: readonly number[]
}

const HOST = '127.0.0.1'

/** Where clients find a server. */
export const clientHost = ({ host = HOST }: ServerSettings): string => host

export const storeDirOf = (dir: string): string => join(dir, 'store')
export const logFileOf = (dir: string): string => join(dir, 'nats-server.log')

/** The text of a nats-server configuration file. */
export function serverConfig(identity: ServerIdentity, settings: ServerSettings): string {
  const { name, dir, ports, routes } = identity
  const jetstream = [
    `store_dir: ${quote(storeDirOf(dir))}`,
    ...(settings.syncInterval === undefined ? [] : [`sync_interval: ${quote(settings.syncInterval)}`]),
    ...(settings.domain === undefined ? [] : [`domain: ${quote(settings.domain)}`]),
  ]
  // no_advertise: a leaf or client that learned the real addresses would go round a fault proxy put before one of them.
  const leafnodes = [
    ...(ports.leaf === undefined ? [] : [`listen: ${HOST}:${ports.leaf}`, 'no_advertise: true']),
    ...(settings.leafRemote === undefined ? [] : [`remotes: [{ url: ${quote(settings.leafRemote)} }]`]),
  ]
  return [
    `server_name: ${quote(name)}`,
    `listen: ${clientHost(settings)}:${ports.client}`,
    `http: ${HOST}:${ports.monitor}`,
    `log_file: ${quote(logFileOf(dir))}`,
    'logfile_size_limit: 16MB',
    ...(settings.maxPayload === undefined ? [] : [`max_payload: ${settings.maxPayload}`]),
    block('jetstream', jetstream),
    ...(ports.cluster === undefined ? [] : [clusterBlock(ports.cluster, routes)]),
    ...(ports.mqtt === undefined ? [] : [block('mqtt', [`listen: ${HOST}:${ports.mqtt}`])]),
    ...(leafnodes.length === 0 ? [] : [block('leafnodes', leafnodes)]),
    settings.extraConfig ?? '',
    '',
  ].join('\n')
}

const clusterBlock = (port: number, routes: readonly number[]): string =>
  block('cluster', [
    'name: central',
    `listen: ${HOST}:${port}`,
    'no_advertise: true',
    `routes: [${routes.map((route) => `nats://${HOST}:${route}`).join(', ')}]`,
  ])

const block = (name: string, lines: readonly string[]): string =>
  [`${name} {`, ...lines.map((line) => `  ${line}`), '}'].join('\n')

const quote = (text: string): string => JSON.stringify(text)
