/** MQTT 5 for devices: an adapter that shows the broker library as much of it as MQTT 3.1.1 can say. */
export { LEVEL, PROTOCOL_NAME } from './connect.ts'
export { type LinkParts, Mqtt5Link } from './link.ts'
export type { Carried } from './message.ts'
export { SessionStore } from './session-store.ts'
export { Wills } from './wills.ts'
