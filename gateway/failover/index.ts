/** Two or more gateways as one. */
export type { FailoverEvents } from './events.ts'
export { Failover, type FailoverSettings, type FailoverStatus, type PeerStatus } from './failover.ts'
export type { PeerDialer, PeerHost } from './link/index.ts'
