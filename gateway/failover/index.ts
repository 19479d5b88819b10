/** Two or more gateways as one. */
export type { FailoverCounter, FailoverEvents } from './events.ts'
export { Failover, type FailoverSettings } from './failover.ts'
export type { PeerDialer, PeerHost } from './link/index.ts'
export type { FailoverStatus, PeerStatus } from './status.ts'
