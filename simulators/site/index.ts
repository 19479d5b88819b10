/** A whole site in one box, to watch, to break, and to measure. */

export type { FailoverTimes } from './failover-times.ts'
export { GatewayProcess, type GatewayProcessOptions } from './gateway-process.ts'
export type { Machine } from './machine.ts'
export { portOr } from './port.ts'
export { type Kill, Site, type SiteAddresses, type SiteOptions, type SiteView } from './site.ts'
export type { GatewayView, SiteGateway } from './site-gateway.ts'
export type { SiteSummary } from './summary.ts'
