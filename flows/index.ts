/** Node-RED beside the gateway: where people draw rules and reactions. */
export { type Flows, type FlowsOptions, startFlows } from './start.ts'
export type { FlowsLogEntry, FlowsStatus, SupervisorSettings } from './supervisor/index.ts'
