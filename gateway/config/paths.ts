import { resolve } from 'node:path'
import type { Config } from './schema/index.ts'

type Listener = Config['mqtt']['listeners'][number]

/** The same configuration with every path absolute: relative ones are taken from `folder`. */
export function resolvePaths(config: Config, folder: string): Config {
  const absolute = (path: string): string => resolve(folder, path)
  const { central, rules, failover } = config
  return {
    ...config,
    dataDir: absolute(config.dataDir),
    mqtt: { ...config.mqtt, listeners: config.mqtt.listeners.map((listener) => listenerPaths(listener, absolute)) },
    rules: { ...rules, ...(rules.file === undefined ? {} : { file: absolute(rules.file) }) },
    central: {
      ...central,
      ...(central.credentials === undefined ? {} : { credentials: absolute(central.credentials) }),
      ...(central.tls === undefined ? {} : { tls: mapValues(central.tls, absolute) }),
    },
    failover: {
      ...failover,
      peers: failover.peers.map(({ ca, ...peer }) => (ca === undefined ? peer : { ...peer, ca: absolute(ca) })),
      ...(failover.secretFile === undefined ? {} : { secretFile: absolute(failover.secretFile) }),
    },
  }
}

function listenerPaths(listener: Listener, absolute: (path: string) => string): Listener {
  switch (listener.kind) {
    case 'tcp':
    case 'ws':
      return listener
    case 'unix':
      return { ...listener, path: absolute(listener.path) }
    case 'tls':
    case 'wss': {
      const { ca } = listener
      const files = { cert: absolute(listener.cert), key: absolute(listener.key) }
      return { ...listener, ...files, ...(ca === undefined ? {} : { ca: absolute(ca) }) }
    }
  }
}

type Files = NonNullable<Config['central']['tls']>

function mapValues(files: Files, absolute: (path: string) => string): Files {
  return Object.fromEntries(
    Object.entries(files).flatMap(([key, path]) => (path === undefined ? [] : [[key, absolute(path)]])),
  )
}
