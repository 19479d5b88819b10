import type { Millis } from '../../sync/contract/index.ts'
import { deriveSeed } from './chance.ts'
import { dailyCycle } from './cycles.ts'
import { type SpikeSignal, spikes, steps } from './disturbances.ts'
import { constant, type Signal, saturated, sum } from './signal.ts'
import { drift, noise } from './wander.ts'

const MINUTE: Millis = 60_000
const HOUR: Millis = 60 * MINUTE

/** One measured quantity: its name, its unit (UCUM / RFC 8428 symbols), its truth and its spikes. */
export interface Sensor {
  metric: string
  unit: string
  /** Digits after the decimal point in what it sends. */
  decimals: number
  signal: Signal
  /** The spikes that are part of `signal`: the truth that alarms are checked against. */
  spikes: SpikeSignal
}

/** @param hurry how many times more often (and shorter) things go wrong than in a real plant */
type SensorKind = (seed: number, hurry: number) => Sensor

/** A room: slow day, slower drift, a heater that goes wrong now and then. */
const temperature: SensorKind = (seed, hurry) => {
  const heater = spikes({ seed: deriveSeed(seed, 'heater'), ...often(10 * MINUTE, MINUTE, hurry), size: [15, 25] })
  const signal = sum(
    dailyCycle({ mean: 21, amplitude: 3 }),
    drift({ seed: deriveSeed(seed, 'drift'), bound: 2, over: 2 * HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.05 }),
    heater,
  )
  return { metric: 'temperature', unit: 'Cel', decimals: 2, signal: saturated(signal, -40, 85), spikes: heater }
}

/** The same room's air: highest when it is coldest; a shower, sometimes. */
const humidity: SensorKind = (seed, hurry) => {
  const shower = spikes({ seed: deriveSeed(seed, 'shower'), ...often(HOUR, 5 * MINUTE, hurry), size: [20, 40] })
  const signal = sum(
    dailyCycle({ mean: 45, amplitude: 8, peakHour: 4 }),
    drift({ seed: deriveSeed(seed, 'drift'), bound: 6, over: HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.3 }),
    shower,
  )
  return { metric: 'humidity', unit: '%RH', decimals: 1, signal: saturated(signal, 0, 100), spikes: shower }
}

/** A pipe: pumps that switch, water hammer. */
const pressure: SensorKind = (seed, hurry) => {
  const hammer = spikes({ seed: deriveSeed(seed, 'hammer'), ...often(5 * MINUTE, 2_000, hurry), size: [3, 6] })
  const signal = sum(
    constant(6),
    steps({ seed: deriveSeed(seed, 'pumps'), every: 3 * MINUTE, size: 1 }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.02 }),
    hammer,
  )
  return { metric: 'pressure', unit: 'bar', decimals: 3, signal: saturated(signal, 0, 16), spikes: hammer }
}

/** A motor's bearing: mostly noise, worse for a while when something is caught. */
const vibration: SensorKind = (seed, hurry) => {
  const jam = spikes({ seed: deriveSeed(seed, 'jam'), ...often(15 * MINUTE, 20_000, hurry), size: [4, 9] })
  const signal = sum(
    constant(1.8),
    drift({ seed: deriveSeed(seed, 'wear'), bound: 0.8, over: 6 * HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.15 }),
    jam,
  )
  return { metric: 'vibration', unit: 'mm/s', decimals: 2, signal: saturated(signal, 0, 25), spikes: jam }
}

/** Electrical power of a machine that is switched. */
const power: SensorKind = (seed, hurry) => {
  const inrush = spikes({ seed: deriveSeed(seed, 'inrush'), ...often(4 * MINUTE, 500, hurry), size: [4_000, 7_000] })
  const signal = sum(
    constant(1_500),
    steps({ seed: deriveSeed(seed, 'load'), every: 2 * MINUTE, size: 1_200 }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 12 }),
    inrush,
  )
  return { metric: 'power', unit: 'W', decimals: 0, signal: saturated(signal, 0, 10_000), spikes: inrush }
}

/** The kinds of sensor there are, by the name of what they measure. */
export const SENSORS = { temperature, humidity, pressure, vibration, power } as const

export type SensorName = keyof typeof SENSORS

export const sensor = (name: SensorName, seed: number, hurry = 1): Sensor =>
  SENSORS[name](deriveSeed(seed, name), hurry)

/** In a hurry, a spike still lasts as long as a few samples. */
const SHORTEST: Millis = 600

const often = (every: Millis, lasting: Millis, hurry: number): { every: Millis; lasting: Millis } =>
  hurry === 1 ? { every, lasting } : { every: every / hurry, lasting: Math.max(SHORTEST, lasting / hurry) }
