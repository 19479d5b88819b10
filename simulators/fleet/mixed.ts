import { seededRandom } from '../../sync/runtime/index.ts'
import { deriveSeed, SENSORS, type SensorName, sensor } from '../signals/index.ts'
import type { DeviceSpec, Misbehaviour, PayloadForm } from './device.ts'

export interface MixedFleetOptions {
  devices: number
  seed?: number
  /** Devices are called `<name>-001`, ... */
  name?: string
  /** Forms that occur, in turn; by default all but `number` and `senml`, whose readings carry no counter. */
  forms?: readonly PayloadForm[]
  /** QoS that occur, in turn. */
  qos?: readonly (0 | 1 | 2)[]
  /** Metrics of one device; forms with one metric a publish publish so many times a sample. */
  metrics?: number
  /** How many times more often things go wrong in what they measure than in a real plant: 1 unless said. */
  hurry?: number
  /** Scales how often devices misbehave: 0 never, 1 as a poor site does. */
  trouble?: number
}

/** What goes wrong on a poor site. */
const TROUBLE = {
  dropOut: 0.002,
  duplicate: 0.01,
  outOfOrder: 0.01,
  spoil: 0.005,
  restart: 0.0005,
  skew: 30_000,
}

/** A site's devices: different sensors, forms and habits, the same for the same seed. */
export function mixedFleet(options: MixedFleetOptions): DeviceSpec[] {
  const {
    seed = 1,
    name = 'device',
    forms = ['object', 'flat', 'array'],
    qos = [1],
    metrics = 1,
    trouble = 0,
    hurry = 1,
  } = options
  const kinds = Object.keys(SENSORS) as SensorName[]
  const digits = Math.max(3, `${options.devices}`.length)
  return Array.from({ length: options.devices }, (_, index): DeviceSpec => {
    const device = `${name}-${`${index + 1}`.padStart(digits, '0')}`
    const own = deriveSeed(seed, device)
    const chosen = Array.from(
      { length: Math.min(metrics, kinds.length) },
      (_, at) => kinds[(index + at) % kinds.length],
    )
    return {
      device,
      metrics: chosen.filter((kind) => kind !== undefined).map((kind) => sensor(kind, own, hurry)),
      form: forms[index % forms.length] ?? 'object',
      qos: qos[index % qos.length] ?? 1,
      ...(trouble > 0 ? { misbehaviour: misbehaviour(own, trouble) } : {}),
    }
  })
}

function misbehaviour(seed: number, trouble: number): Misbehaviour {
  const skew = (2 * seededRandom(seed).next() - 1) * TROUBLE.skew
  return {
    dropOut: { chance: TROUBLE.dropOut * trouble, lasting: [500, 5_000] },
    duplicate: TROUBLE.duplicate * trouble,
    outOfOrder: TROUBLE.outOfOrder * trouble,
    spoil: TROUBLE.spoil * trouble,
    restart: TROUBLE.restart * trouble,
    clock: { offset: Math.round(skew), drift: 50 },
  }
}
