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

type SensorKind = (seed: number) => Sensor

/** A room: slow day, slower drift, a heater that goes wrong now and then. */
const temperature: SensorKind = (seed) => {
  const heater = spikes({ seed: deriveSeed(seed, 'heater'), every: 10 * MINUTE, lasting: MINUTE, size: [15, 25] })
  const signal = sum(
    dailyCycle({ mean: 21, amplitude: 3 }),
    drift({ seed: deriveSeed(seed, 'drift'), bound: 2, over: 2 * HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.05 }),
    heater,
  )
  return { metric: 'temperature', unit: 'Cel', decimals: 2, signal: saturated(signal, -40, 85), spikes: heater }
}

/** The same room's air: highest when it is coldest; a shower, sometimes. */
const humidity: SensorKind = (seed) => {
  const shower = spikes({ seed: deriveSeed(seed, 'shower'), every: HOUR, lasting: 5 * MINUTE, size: [20, 40] })
  const signal = sum(
    dailyCycle({ mean: 45, amplitude: 8, peakHour: 4 }),
    drift({ seed: deriveSeed(seed, 'drift'), bound: 6, over: HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.3 }),
    shower,
  )
  return { metric: 'humidity', unit: '%RH', decimals: 1, signal: saturated(signal, 0, 100), spikes: shower }
}

/** A pipe: pumps that switch, water hammer. */
const pressure: SensorKind = (seed) => {
  const hammer = spikes({ seed: deriveSeed(seed, 'hammer'), every: 5 * MINUTE, lasting: 2_000, size: [3, 6] })
  const signal = sum(
    constant(6),
    steps({ seed: deriveSeed(seed, 'pumps'), every: 3 * MINUTE, size: 1 }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.02 }),
    hammer,
  )
  return { metric: 'pressure', unit: 'bar', decimals: 3, signal: saturated(signal, 0, 16), spikes: hammer }
}

/** A motor's bearing: mostly noise, worse for a while when something is caught. */
const vibration: SensorKind = (seed) => {
  const jam = spikes({ seed: deriveSeed(seed, 'jam'), every: 15 * MINUTE, lasting: 20_000, size: [4, 9] })
  const signal = sum(
    constant(1.8),
    drift({ seed: deriveSeed(seed, 'wear'), bound: 0.8, over: 6 * HOUR }),
    noise({ seed: deriveSeed(seed, 'noise'), deviation: 0.15 }),
    jam,
  )
  return { metric: 'vibration', unit: 'mm/s', decimals: 2, signal: saturated(signal, 0, 25), spikes: jam }
}

/** Electrical power of a machine that is switched. */
const power: SensorKind = (seed) => {
  const inrush = spikes({ seed: deriveSeed(seed, 'inrush'), every: 4 * MINUTE, lasting: 500, size: [4_000, 7_000] })
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

export const sensor = (name: SensorName, seed: number): Sensor => SENSORS[name](deriveSeed(seed, name))
