/** Node-RED beside the gateway: where people draw rules and reactions. */
export { FIRST_EXAMPLE, type Flows, type FlowsOptions, startFlows } from './start.ts'
export type { FlowsLogEntry, FlowsStatus, SupervisorSettings } from './supervisor/index.ts'
