import { OperatorError } from '../../sync/contract/index.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import { findNatsServer } from './find-server.ts'
import { freePorts } from './ports.ts'
import { CentralServer } from './server.ts'
import type { ServerPorts, ServerSettings } from './server-config.ts'

/** What starting a server or a cluster takes from outside. */
export interface StartOptions {
  /** Path of a nats-server; found by `findNatsServer` unless said. */
  binary?: string
  env?: Readonly<Record<string, string | undefined>>
  clock?: Clock
  random?: Random
}

export interface CentralOptions extends ServerSettings, StartOptions {
  /** Holds configuration, log and store; created if it is not there. */
  dir: string
  name?: string
  /** Client port; a free one unless said. Kept over restarts. */
  port?: number
}

/** How often to try with other ports when somebody else took one between choosing it and listening on it. */
const PORT_ATTEMPTS = 3

/**
 * Starts one central server and waits until it serves.
 *
 * @throws OperatorError `NATS_SERVER_MISSING`, `NATS_SERVER_UNUSABLE`, `CENTRAL_START_FAILED`
 */
export async function startCentral(options: CentralOptions): Promise<CentralServer> {
  const { dir, name = 'central', port } = options
  return await startServers(options, 1, ([free], binary, clock) => {
    const { client, cluster: _, ...others } = portsFor(options, free ?? [])
    const ports = { client: port ?? client, ...others }
    const server = new CentralServer(binary, { name, dir, ports, routes: [] }, options, clock)
    return { servers: [server], started: server, ready: () => server.waitReady() }
  })
}

/** Servers that are configured but not launched, and what to wait for when they are. */
export interface Prepared<T> {
  servers: readonly CentralServer[]
  started: T
  ready(): Promise<void>
}

/**
 * Launches servers on free ports and waits until they are ready; all are ended if they do not get there.
 *
 * @param prepare gets one list of free ports for each server
 */
export async function startServers<T>(
  { binary, env = process.env, clock = systemClock, random = systemRandom }: StartOptions,
  count: number,
  prepare: (ports: readonly number[][], binary: string, clock: Clock) => Prepared<T>,
): Promise<T> {
  const path = binary ?? (await findNatsServer({ env })).path
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count * PORTS_EACH, random)
    const groups = Array.from({ length: count }, (_, i) => ports.slice(i * PORTS_EACH, (i + 1) * PORTS_EACH))
    const { servers, started, ready } = prepare(groups, path, clock)
    try {
      await Promise.all(servers.map((server) => server.launch()))
      await ready()
      return started
    } catch (error) {
      const lost = await Promise.all(servers.map((server) => lostPort(server, error)))
      await Promise.all(servers.map((server) => server.kill()))
      if (attempt >= PORT_ATTEMPTS || !lost.includes(true)) throw error
    }
  }
}

const PORTS_EACH = 5

/** Which of a server's free ports is for what; those it is not asked to listen on are left out. */
export function portsFor(
  { mqtt, leafnodes }: ServerSettings,
  free: readonly number[],
): Required<Pick<ServerPorts, 'cluster'>> & ServerPorts {
  const [client = 0, monitor = 0, cluster = 0, mqttPort = 0, leaf = 0] = free
  return {
    client,
    monitor,
    cluster,
    ...(mqtt === true ? { mqtt: mqttPort } : {}),
    ...(leafnodes === true ? { leaf } : {}),
  }
}

async function lostPort(server: CentralServer, error: unknown): Promise<boolean> {
  return error instanceof OperatorError && (await server.lastLog()).includes('address already in use')
}
