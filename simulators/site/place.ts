import type { Clock, Random } from '../../sync/runtime/index.ts'
import { FaultProxy } from '../faults/index.ts'
import { type Centre, urlsOf } from './centre.ts'
import type { Peer } from './failover.ts'
import type { Machine } from './machine.ts'
import { PeerNetwork } from './peer-network.ts'
import { portsOr } from './port.ts'

/** Where a gateway lives, and how it reaches everybody. */
export interface Place {
  gateway: string
  /** Goes before its command line; see `Machine`. */
  under: readonly string[]
  /** Where devices find it. */
  host: string
  mqttPort: number
  /** Address to listen on. */
  mqttHost: string
  peers: readonly Peer[]
  /** Servers of the centre, as it knows them. */
  servers: readonly string[]
  /** What can be cut between it and them. */
  links: readonly FaultProxy[]
}

export interface Places {
  places: readonly Place[]
  peers: PeerNetwork
}

/** What laying out a site takes from outside. */
export interface World {
  clock: Clock
  random: Random
  /** Gets what takes back what was laid. */
  undo: (() => Promise<unknown>)[]
}

const LOOPBACK = '127.0.0.1'
const USUAL_MQTT_PORT = 1883

const nameOf = (number: number): string => `gw-${number + 1}`

/** All on the loopback of this machine, with a proxy on each way between two of them and to the centre. */
export async function placesHere(
  count: number,
  wantedPort: number | undefined,
  centre: Centre,
  world: World,
): Promise<Places> {
  const mqttPorts = await portsOr(wantedPort, count, world.random)
  // Gateways find each other where devices find them.
  const peers = await PeerNetwork.lay(mqttPorts, world.clock)
  world.undo.push(() => peers.close())
  const places: Place[] = []
  for (const [number, mqttPort] of mqttPorts.entries()) {
    const links = await linksTo(centre, world)
    const ways = peers.waysOf(number)
    places.push({
      gateway: nameOf(number),
      under: [],
      host: LOOPBACK,
      mqttPort,
      mqttHost: LOOPBACK,
      peers: ways.map(({ to, port }) => ({ gateway: nameOf(to), url: `mqtt://${LOOPBACK}:${port}` })),
      servers: links.map(({ port }) => `nats://${LOOPBACK}:${port}`),
      links,
    })
  }
  return { places, peers }
}

async function linksTo(centre: Centre, { clock, undo }: World): Promise<FaultProxy[]> {
  const links: FaultProxy[] = []
  for (const url of urlsOf(centre)) {
    const { hostname, port } = new URL(url)
    const link = await FaultProxy.listen({ target: { host: hostname, port: Number(port) }, protocol: 'nats', clock })
    links.push(link)
    undo.push(() => link.close())
  }
  return links
}

/** Each on a machine of its own, with the same port, and with nothing of ours between them. */
export function placesOn(machines: readonly Machine[], centre: Centre, mqttPort = USUAL_MQTT_PORT): Places {
  const everybody = machines.map(({ peerAddress }, number) => ({
    gateway: nameOf(number),
    url: `mqtt://${peerAddress}:${mqttPort}`,
  }))
  const places = machines.map(({ under, address }, number) => ({
    gateway: nameOf(number),
    under,
    host: address,
    mqttPort,
    mqttHost: '0.0.0.0',
    peers: everybody.filter((_, other) => other !== number),
    servers: urlsOf(centre),
    links: [],
  }))
  return { places, peers: PeerNetwork.none() }
}
