/** Believable sensor signals: pure functions of time and a seed, which know when they misbehaved. */
export { deriveSeed, gaussianAt, uniformAt } from './chance.ts'
export { type DailyCycleOptions, dailyCycle, type SineOptions, sine } from './cycles.ts'
export {
  type Spike,
  type SpikeSignal,
  type SpikesOptions,
  type StepsOptions,
  type StuckSignal,
  spikes,
  steps,
  stuck,
} from './disturbances.ts'
export { type Episode, type EpisodeOptions, type Episodes, episodes } from './episodes.ts'
export { SENSORS, type Sensor, type SensorName, sensor } from './sensors.ts'
export { constant, quantized, type Signal, saturated, scaled, sum } from './signal.ts'
export { type DriftOptions, drift, type NoiseOptions, noise } from './wander.ts'
