import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Centre } from './centre.ts'
import { failoverSection } from './failover.ts'
import { gatewayConfig } from './gateway-config.ts'
import { GatewayProcess } from './gateway-process.ts'
import type { Machine } from './machine.ts'
import type { PeerNetwork } from './peer-network.ts'
import { placesHere, placesOn, type World } from './place.ts'
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
  /** One for each gateway; all on this one unless said. */
  machines?: readonly Machine[]
  config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** Gives every gateway its place, its ways to the centre and to the others, and its configuration file. None of them runs yet. */
export async function layOut(
  options: LayOutOptions,
  centre: Centre,
  world: World,
): Promise<{ gateways: SiteGateway[]; peers: PeerNetwork }> {
  const { clock, random, undo } = world
  const { machines, mqttPort, gateways: count } = options
  const { places, peers } =
    machines === undefined ? await placesHere(count, mqttPort, centre, world) : placesOn(machines, centre, mqttPort)
  const secret = random.hex(16)
  const gateways: SiteGateway[] = []
  for (const [number, { gateway: name, under, host, links, peers: neighbours, ...found }] of places.entries()) {
    const suffix = number === 0 ? '' : `-${number + 1}`
    const own = join(options.dir, `gateway${suffix}`)
    const dataDir = number === 0 ? (options.dataDir ?? own) : own
    const settings = { site: options.site, gateway: name, dataDir, rulesFile: options.rulesFile, ...found }
    const config = join(options.dir, `tidegate${suffix}.yaml`)
    const needed = failoverSection(neighbours, secret)
    await writeFile(config, stringify(gatewayConfig(settings, needed, options.config)))
    const process = new GatewayProcess({ entry: options.entry, config, under, clock })
    undo.push(() => process.stop())
    gateways.push(new SiteGateway({ name, process, config, dataDir, host, mqttPort: found.mqttPort, links }))
  }
  return { gateways, peers }
}
