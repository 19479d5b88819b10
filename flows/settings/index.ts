/** Node-RED's settings: locked down, with secrets of its own. */
export { TOKEN_VARIABLE } from './in-node-red.ts'
export { prepare } from './prepare.ts'
