/** A TCP proxy that breaks in the ways in which networks break. */
export { type Conditions, conditionsOf, type Direction, type Fault, HEALTHY, type Passage } from './fault.ts'
export { type FrameFilter, frameFilter, type Protocol } from './frames.ts'
export type { Traffic } from './pipe.ts'
export { FaultProxy, type FaultProxyOptions, type ProxyStats, type Release } from './proxy.ts'
export {
  type FaultSchedule,
  type RandomScheduleOptions,
  type RunScheduleOptions,
  randomSchedule,
  runSchedule,
  type ScheduledFault,
} from './schedule.ts'
