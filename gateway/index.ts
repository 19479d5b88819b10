/** A gateway as a library: `startGateway(await loadConfig('tidegate.yaml', process.env))`. */
export { type Config, loadConfig, parseConfig } from './config/index.ts'
export { type Gateway, startGateway, type World } from './main.ts'
export type { GatewayStatus } from './observe/index.ts'
