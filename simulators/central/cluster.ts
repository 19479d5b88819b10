import { join } from 'node:path'
import type { Clock } from '../../sync/runtime/index.ts'
import { metaLeader, readJetStream, streamLeader } from './monitor.ts'
import { CentralServer } from './server.ts'
import type { ServerSettings } from './server-config.ts'
import { portsFor, type StartOptions, startServers } from './start.ts'
import { waitFor } from './wait.ts'

export interface ClusterOptions extends Omit<ServerSettings, 'extraConfig'>, StartOptions {
  /** Holds one folder a node. */
  dir: string
  /** Number of servers; 3 unless said. */
  nodes?: number
  /** Further configuration, the same for all or one for each node (`n1`, `n2`, ...). */
  extraConfig?: string | ((node: string) => string)
}

const READY_WITHIN = 60_000
const LEADER_WITHIN = 30_000

/** Servers that keep streams together. Each can be killed, stopped, frozen and restarted on its own. */
export class CentralCluster {
  readonly nodes: readonly CentralServer[]
  readonly #clock: Clock

  constructor(nodes: readonly CentralServer[], clock: Clock) {
    this.nodes = nodes
    this.#clock = clock
  }

  /** Addresses of all nodes, as a client wants them. */
  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url)
  }

  /** Resolves when every running node serves and the cluster can place streams. */
  async waitReady(timeout = READY_WITHIN): Promise<void> {
    await Promise.all(this.nodes.filter(({ running }) => running).map((node) => node.waitReady(timeout)))
    await waitFor(this.#clock, 'a leader of the cluster', timeout, () => this.#who(metaLeader))
  }

  /** The node that leads a stream by its own account; null while there is none (an election, no such stream). */
  leaderOf(stream: string): Promise<CentralServer | null> {
    return this.#who((view) => streamLeader(view, stream))
  }

  /**
   * Waits until a stream has a leader.
   *
   * @param except a node that is not meant: the one that was just killed or frozen
   * @throws RetryableError `CENTRAL_NOT_READY`
   */
  waitLeader(stream: string, except: CentralServer | null = null, timeout = LEADER_WITHIN): Promise<CentralServer> {
    return waitFor(this.#clock, `a leader of stream ${stream}`, timeout, async () => {
      const leader = await this.leaderOf(stream)
      return leader === except ? null : leader
    })
  }

  /** Stops all nodes. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  /** Sends a signal to all nodes: SIGKILL is a power cut of the whole cluster. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill(signal)))
  }

  /** Restarts all nodes at once and waits until the cluster serves. */
  async restart(): Promise<void> {
    await this.stop()
    await Promise.all(this.nodes.map((node) => node.launch()))
    await this.waitReady()
  }

  /** The running node that names itself: followers go on naming a dead leader for a while. */
  async #who(leader: (view: NonNullable<Awaited<ReturnType<typeof readJetStream>>>) => string | null) {
    const claims = await Promise.all(
      this.nodes.map(async (node) => {
        const view = node.running ? await readJetStream(node.monitorPort) : null
        return view !== null && leader(view) === node.name ? node : null
      }),
    )
    return claims.find((node) => node !== null) ?? null
  }
}

/**
 * Starts a cluster of central servers on loopback and waits until it can place streams.
 *
 * @throws OperatorError `NATS_SERVER_MISSING`, `NATS_SERVER_UNUSABLE`, `CENTRAL_START_FAILED`
 */
export async function startCluster(options: ClusterOptions): Promise<CentralCluster> {
  const { dir, nodes = 3, extraConfig = '', ...settings } = options
  return await startServers(options, nodes, (free, binary, clock) => {
    const ports = free.map((own) => portsFor(settings, own))
    const routes = ports.map(({ cluster }) => cluster)
    const servers = ports.map((own, i) => {
      const name = `n${i + 1}`
      const identity = { name, dir: join(dir, name), ports: own, routes }
      const extra = typeof extraConfig === 'string' ? extraConfig : extraConfig(name)
      return new CentralServer(binary, identity, { ...settings, extraConfig: extra }, clock)
    })
    const cluster = new CentralCluster(servers, clock)
    return { servers, started: cluster, ready: () => cluster.waitReady() }
  })
}
