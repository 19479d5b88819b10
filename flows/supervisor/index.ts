/** Keeps Node-RED running as a process of its own. */
export type { FlowsCommand } from './child.ts'
export { FlowsProcess, type FlowsStatus, type SupervisorSettings } from './flows-process.ts'
export type { FlowsLogEntry } from './log-lines.ts'
