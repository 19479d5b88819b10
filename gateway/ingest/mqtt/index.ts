/** MQTT 3.1.1 and 5 for devices: listeners, frame guard, broker. */
export type { MqttAccess } from './access.ts'
export type { DeviceDoor, LeavePace } from './device-door.ts'
export type { ListenerAddress } from './listener.ts'
export type { Log, MqttCounter, MqttCounters } from './observation.ts'
export type { PeerLogin } from './peer-door.ts'
export {
  defaultMqttLimits,
  type ListenerSettings,
  type MqttLimits,
  type MqttSettings,
  type TlsFiles,
} from './settings.ts'
export { type MqttOptions, type MqttServer, startMqtt } from './start.ts'
