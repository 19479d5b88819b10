/** What the nodes have in common: one connection to each gateway. */
export { belongsTo } from './alarm-list.ts'
export { type Connection, connectionOf, flowsComplete, type GatewayAddress, publisherOf } from './connections.ts'
export { eventMessage, kindOf } from './message.ts'
export { isOurs, ORIGIN_LABEL } from './origin.ts'
export { fits } from './pattern.ts'
export type { Standing } from './rule-book.ts'
export type { RuleDraft } from './rule-problems.ts'
export { startNode } from './start.ts'
