import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePorts } from '../../simulators/central/index.ts'
import { GROUP_TOPIC, TOPIC } from '../../simulators/fleet/index.ts'
import { GatewayProcess } from '../../simulators/site/index.ts'
import { systemRandom } from '../../sync/runtime/index.ts'
import type { BenchOptions } from './bench.ts'
import type { Scope } from './scope.ts'

export const OWNER = { site: 'bench', gateway: 'gw-1' } as const

export interface BenchGateway {
  process: GatewayProcess
  mqttPort: number
}

export interface GatewaySettings {
  /** Holds its configuration and its outbox. */
  dir: string
  /** Addresses of the centre; one that nobody listens on is a link that is cut. */
  servers: readonly string[]
  forward?: Readonly<Record<string, unknown>>
  env?: Readonly<Record<string, string>>
  /** A rule set; none unless said. */
  rules?: unknown
  /** Whether publishes go past the MQTT library; they do unless said. */
  directWay?: boolean
  /** Connections that come from this one machine; the default limit, which is one for sites, unless said. */
  connections?: number
}

/** A gateway as people run it (all defaults), in a process of its own, not started yet. */
export async function makeGateway(
  { entry }: BenchOptions,
  scope: Scope,
  settings: GatewaySettings,
): Promise<BenchGateway> {
  const { dir, env = {} } = settings
  const [mqttPort = 0] = await freePorts(1, systemRandom)
  const config = join(dir, 'tidegate.yaml')
  await mkdir(dir, { recursive: true })
  await writeFile(config, gatewayYaml(settings, mqttPort))
  if (settings.rules) await writeFile(join(dir, RULES_FILE), stringify(settings.rules))
  const gateway = new GatewayProcess({ entry, config, env, every: 250 })
  await scope.defer(() => gateway.stop())
  return { process: gateway, mqttPort }
}

const RULES_FILE = 'rules.yaml'

/** The text of its configuration file. */
export function gatewayYaml(settings: GatewaySettings, mqttPort: number): string {
  const { dir, servers, forward = {}, rules = null, directWay, connections } = settings
  return stringify({
    ...OWNER,
    dataDir: join(dir, 'outbox'),
    mqtt: {
      listeners: [{ kind: 'tcp', host: '127.0.0.1', port: mqttPort }],
      ...(directWay === undefined ? {} : { directWay }),
      ...(connections === undefined ? {} : { limits: { maxConnectionsPerAddress: connections } }),
    },
    ...(rules ? { rules: { file: RULES_FILE } } : {}),
    ingest: { topics: [{ template: TOPIC }, { template: GROUP_TOPIC }] },
    central: { servers: [...servers], replicas: servers.length === 3 ? 3 : 1 },
    outbox: { maxBytes: '10GB' },
    forward,
    log: { level: 'warn' },
  })
}

/** Address of a centre that is not there. */
export async function nobody(): Promise<string> {
  const [port = 0] = await freePorts(1, systemRandom)
  return `nats://127.0.0.1:${port}`
}

/** @throws Error when it does not run (any more) */
export function pidOf({ process: { pid, log } }: BenchGateway): number {
  if (pid === null) throw new Error(`the gateway ended:\n${log.join('\n')}`)
  return pid
}
