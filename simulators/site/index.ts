/** A whole site in one box, to watch, to break, and to measure. */

export { GatewayProcess, type GatewayProcessOptions } from './gateway-process.ts'
export { portOr } from './port.ts'
export { Site, type SiteAddresses, type SiteOptions, type SiteView } from './site.ts'
export type { SiteSummary } from './summary.ts'
