import { readFile } from 'node:fs/promises'
import { OperatorError } from '../sync/contract/index.ts'
import type { ForwarderSettings } from '../sync/forward/index.ts'
import type { NatsSettings } from '../sync/link/index.ts'
import { type StreamSettings, streamPlans } from '../sync/provision/index.ts'
import type { Config } from './config/index.ts'
import type { CoreSettings } from './core.ts'
import type { PeerAddress, PeerSettings } from './failover/link/index.ts'
import { defaultMqttLimits, type ListenerSettings, type MqttSettings, type TlsFiles } from './ingest/mqtt/index.ts'
import type { OutboxSettings } from './outbox/index.ts'

/** The configuration as the parts want it: "no limit" becomes infinity, file names become what is in the files. */

const unlimited = (value: number | null): number => value ?? Number.POSITIVE_INFINITY

/** Everything that does not touch a socket. */
export function coreSettings(config: Config): CoreSettings {
  const { site, gateway, dataDir, ingest, failover, central } = config
  const { peers, durability, whenAlone, heartbeat, awayAfter, takeoverAfter } = failover
  const names = peers.map((peer) => peer.gateway)
  const { ackTimeout } = central
  const together = {
    site,
    gateway,
    peers: names,
    durability,
    whenAlone,
    heartbeat,
    awayAfter,
    takeoverAfter,
    ackTimeout,
  }
  return {
    site,
    gateway,
    dataDir,
    ingest,
    outbox: outboxSettings(config),
    forwarder: forwarderSettings(config),
    failover: names.length > 0 ? together : null,
  }
}

export function outboxSettings({ outbox }: Config): OutboxSettings {
  return { ...outbox, maxAge: unlimited(outbox.maxAge) }
}

export function mqttSettings({ mqtt }: Config): MqttSettings {
  const { limits } = mqtt
  return {
    listeners: mqtt.listeners.map(listenerSettings),
    directWay: mqtt.directWay,
    limits: {
      ...defaultMqttLimits,
      maxConnections: limits.maxConnections,
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      connectTimeout: limits.connectTimeout,
      maxKeepAlive: limits.keepaliveLimit,
      maxPublishBytes: limits.maxPacket,
      maxFiltersPerPacket: limits.maxFilters,
      receiveMaximum: limits.receiveMaximum,
      topicAliasMaximum: limits.topicAliases,
      maxSessionExpiry: limits.sessionExpiry,
      maxClientIdBytes: limits.maxClientIdBytes,
      maxTopicBytes: limits.maxTopicBytes,
      slowReaderBytes: limits.slowReader,
      drainTimeout: limits.drainTimeout,
    },
  }
}

function listenerSettings(listener: Config['mqtt']['listeners'][number]): ListenerSettings {
  if (listener.kind === 'tls' || listener.kind === 'wss') {
    const { cert, key, ca, ...rest } = listener
    const tls: TlsFiles = { certFile: cert, keyFile: key }
    if (ca !== undefined) tls.caFile = ca
    return { ...rest, tls }
  }
  return listener
}

export function forwarderSettings({ site, gateway, central, forward }: Config): ForwarderSettings {
  const { pack, pace } = forward
  return {
    site,
    gateway,
    pack: { ...pack, compress: forward.compress, linger: forward.linger, ackTimeout: central.ackTimeout },
    pace: {
      bytesPerSecond: unlimited(pace.bytesPerSecond),
      packsPerSecond: unlimited(pace.packsPerSecond),
      jitter: pace.jitter,
    },
    breaker: central.breaker,
    retry: central.retry,
    stallAfter: forward.stallAfter,
    provision: central.provision ? streamPlans(streamSettings(central)) : [],
  }
}

export function streamSettings(central: Config['central']): StreamSettings {
  return {
    replicas: central.replicas,
    storage: central.storage,
    maxBytes: central.maxBytes ?? -1,
    maxAge: central.maxAge ?? 0,
  }
}

/** @throws OperatorError `CENTRAL_FILE_UNREADABLE` */
export async function natsSettings(central: Config['central'], name: string): Promise<NatsSettings> {
  const { servers, dialTimeout, pingInterval, credentials, user, password, token, tls } = central
  const settings: NatsSettings = { servers, name, dialTimeout, pingInterval }
  if (user !== undefined) settings.user = user
  if (password !== undefined) settings.password = password
  if (token !== undefined) settings.token = token
  if (credentials !== undefined)
    settings.credentials = await fileText('CENTRAL_FILE_UNREADABLE', 'central.credentials', credentials)
  if (tls) {
    const files = Object.entries(tls).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const texts = files.map(
      async ([key, file]) => [key, await fileText('CENTRAL_FILE_UNREADABLE', `central.tls.${key}`, file)] as const,
    )
    settings.tls = Object.fromEntries(await Promise.all(texts))
  }
  return settings
}

/** Shortest secret that is taken, as in the schema. */
const SHORTEST_SECRET = 16

/**
 * What the gateway needs to know of its peers; null when it has none.
 *
 * @throws OperatorError `FAILOVER_FILE_UNREADABLE`, `FAILOVER_SECRET_SHORT`
 */
export async function peerSettings({ gateway, failover }: Config): Promise<PeerSettings | null> {
  const { peers, secretFile, awayAfter } = failover
  if (peers.length === 0) return null
  const read = (key: string, file: string): Promise<string> => fileText('FAILOVER_FILE_UNREADABLE', key, file)
  const secret = failover.secret ?? (await read('failover.secretFile', secretFile ?? '')).trim()
  if (secret.length < SHORTEST_SECRET)
    throw new OperatorError(
      'FAILOVER_SECRET_SHORT',
      `failover.secretFile: expected at least ${SHORTEST_SECRET} characters in '${secretFile}', came ${secret.length}`,
    )
  const addresses = peers.map(async ({ gateway, url, ca }): Promise<PeerAddress> => {
    return ca === undefined
      ? { gateway, url }
      : { gateway, url, ca: await read(`failover.peers: ca of '${gateway}'`, ca) }
  })
  return {
    gateway,
    secret,
    peers: await Promise.all(addresses),
    dialTimeout: awayAfter,
    keepAlive: awayAfter,
  }
}

async function fileText(code: string, key: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new OperatorError(code, `${key}: cannot read '${file}'; check that it exists and may be read`, {
      cause: error,
    })
  }
}
