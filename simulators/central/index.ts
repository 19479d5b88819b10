/** A real central JetStream to try, test and measure against: one nats-server, or a cluster of them, as child processes. */

export { endWithThisProcess } from '../../sync/runtime/index.ts'
export { CentralCluster, type ClusterOptions, startCluster } from './cluster.ts'
export { type FindOptions, type FoundServer, findNatsServer } from './find-server.ts'
export { freePorts } from './ports.ts'
export { CentralServer } from './server.ts'
export type { ServerSettings } from './server-config.ts'
export { type CentralOptions, startCentral } from './start.ts'
