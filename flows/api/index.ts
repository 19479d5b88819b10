/** The gateway's HTTP API, as the nodes use it. */
export { GatewayApi, type Query } from './client.ts'
export { GatewayRefusedError, type Problem } from './errors.ts'
export type { SseMessage } from './sse.ts'
