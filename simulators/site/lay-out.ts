import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Clock, Random } from '../../sync/runtime/index.ts'
import { FaultProxy } from '../faults/index.ts'
import { type Centre, urlsOf } from './centre.ts'
import { failoverSection } from './failover.ts'
import { gatewayConfig } from './gateway-config.ts'
import { GatewayProcess } from './gateway-process.ts'
import { PeerNetwork } from './peer-network.ts'
import { portsOr } from './port.ts'
import { SiteGateway } from './site-gateway.ts'

export interface LayOutOptions {
  /** Holds everything durable. */
  dir: string
  site: string
  /** Name of the rules file in `dir`, the same for all gateways. */
  rulesFile: string
  gateways: number
  /** Path of the compiled command line. */
  entry: string
  /** Where the first one keeps its data. */
  dataDir?: string
  /** Wanted by the first one; the others want the next ones. */
  mqttPort?: number
  config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

interface World {
  clock: Clock
  random: Random
  /** Gets what takes back what was laid. */
  undo: (() => Promise<unknown>)[]
}

/** Gives every gateway its ports, its ways to the centre and to the others, and its configuration file. None of them runs yet. */
export async function layOut(
  options: LayOutOptions,
  centre: Centre,
  world: World,
): Promise<{ gateways: SiteGateway[]; peers: PeerNetwork }> {
  const { clock, random, undo } = world
  const mqttPorts = await portsOr(options.mqttPort, options.gateways, random)
  // Gateways find each other where devices find them.
  const peers = await PeerNetwork.lay(mqttPorts, clock)
  undo.push(() => peers.close())
  const secret = random.hex(16)
  const gateways: SiteGateway[] = []
  for (const [number, mqttPort] of mqttPorts.entries()) {
    const links: FaultProxy[] = []
    for (const url of urlsOf(centre)) {
      const link = await FaultProxy.listen({ target: { port: Number(new URL(url).port) }, protocol: 'nats', clock })
      links.push(link)
      undo.push(() => link.close())
    }
    const name = nameOf(number)
    const suffix = number === 0 ? '' : `-${number + 1}`
    const own = join(options.dir, `gateway${suffix}`)
    const dataDir = number === 0 ? (options.dataDir ?? own) : own
    const settings = {
      site: options.site,
      gateway: name,
      dataDir,
      mqttPort,
      rulesFile: options.rulesFile,
      servers: links.map(({ port }) => `nats://127.0.0.1:${port}`),
    }
    const neighbours = peers.waysOf(number).map(({ to, port }) => ({ gateway: nameOf(to), port }))
    const config = join(options.dir, `tidegate${suffix}.yaml`)
    const needed = failoverSection(neighbours, secret)
    await writeFile(config, stringify(gatewayConfig(settings, needed, options.config)))
    const process = new GatewayProcess({ entry: options.entry, config, clock })
    undo.push(() => process.stop())
    gateways.push(new SiteGateway({ name, process, config, dataDir, mqttPort, links }))
  }
  return { gateways, peers }
}

const nameOf = (number: number): string => `gw-${number + 1}`
