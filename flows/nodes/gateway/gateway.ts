import type { FlowNode, Red } from '../red.ts'
import { flowsComplete, type GatewayAddress } from '../shared/index.ts'
import { serveFlowsState } from './flows-state.ts'

interface GatewayConfig {
  /** Path of the gateway's `api.json`; empty = the gateway that started this Node-RED. */
  apiFile?: string
}

/** Which gateway a node talks to. Only needed for one that did not start this Node-RED, or for a user name on its MQTT listener. */
export default function register(red: Red): void {
  serveFlowsState(red)
  red.events.on('flows:started', () => flowsComplete(red))
  red.nodes.registerType<GatewayConfig>(
    'tidegate-gateway',
    function (this: FlowNode & { address?: GatewayAddress }, config) {
      red.nodes.createNode(this, config)
      const { username, password } = this.credentials ?? {}
      this.address = {
        apiFile: config.apiFile?.trim() || null,
        login: username ? { username, password: password ?? '' } : null,
      }
    },
    { credentials: { username: { type: 'text' }, password: { type: 'password' } } },
  )
}
