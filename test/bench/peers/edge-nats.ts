import { type CentralServer, startCentral } from '../../../simulators/central/index.ts'
import { FaultProxy } from '../../../simulators/faults/index.ts'
import { observe } from '../jetstream.ts'
import type { Scope } from '../scope.ts'

/** Stream at the edge, and its copy at the hub. */
const EDGE_STREAM = 'EDGE'
export const HUB_STREAM = 'SENSORS'

export interface EdgeNats {
  hub: CentralServer
  link: FaultProxy
  mqttPort: number
}

/**
 * What one would build of nats-server alone: a server on site that takes MQTT and keeps the readings in a stream of its own
 * JetStream domain, a leaf node of the central one, whose stream sources the one on site.
 */
export async function startEdgeNats(scope: Scope): Promise<EdgeNats> {
  const hub = await startCentral({ dir: await scope.folder(), name: 'hub', domain: 'hub', leafnodes: true })
  await scope.defer(() => hub.stop())
  const link = await FaultProxy.listen({ target: { port: hub.leafPort ?? 0 } })
  await scope.defer(() => link.close())
  const edge = await startCentral({
    dir: await scope.folder(),
    name: 'edge',
    domain: 'edge',
    mqtt: true,
    leafRemote: `nats-leaf://127.0.0.1:${link.port}`,
  })
  await scope.defer(() => edge.stop())
  const atEdge = await observe(scope, [edge.url])
  await atEdge.manager.streams.add({ name: EDGE_STREAM, subjects: ['sensors.>'] })
  await atEdge.connection.close()
  const atHub = await observe(scope, [hub.url])
  await atHub.manager.streams.add({
    name: HUB_STREAM,
    sources: [{ name: EDGE_STREAM, external: { api: '$JS.edge.API', deliver: '' } }],
  })
  await atHub.connection.close()
  return { hub, link, mqttPort: edge.mqttPort ?? 0 }
}
