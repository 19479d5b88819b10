/** Simulated devices that measure, misbehave, and remember what they got acknowledged. */
export type { ClientProfileName } from './client-profiles.ts'
export {
  type DeviceSpec,
  fillTopic,
  GROUP_TOPIC,
  type Metric,
  type Misbehaviour,
  type PayloadForm,
  TOPIC,
} from './device.ts'
export { Fleet, type FleetOptions, type FleetStats, type FleetSummary } from './fleet.ts'
export { type MixedFleetOptions, mixedFleet } from './mixed.ts'
export type { Move } from './move-timer.ts'
export { namesMetrics } from './payload.ts'
export { percentile } from './percentile.ts'
export { DevicePlan, type PlannedPublish, type PlannedReading, type Sample } from './plan.ts'
export type { MqttVersion } from './uplink.ts'
