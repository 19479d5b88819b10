import { describeError } from '../../../sync/contract/index.ts'
import type { FlowNode } from '../red.ts'

/** Starts a node; what cannot work as it is configured is said at the node, and the others run on. */
export function startNode(node: FlowNode, start: () => void): void {
  try {
    start()
  } catch (error) {
    node.status({ fill: 'red', shape: 'ring', text: 'not configured' })
    node.error(describeError(error))
  }
}
