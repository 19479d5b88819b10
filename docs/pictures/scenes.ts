import { uniformAt } from '../../simulators/signals/index.ts'
import type { Millis, ReadingValue } from '../../sync/contract/index.ts'

/** What one metric of a scene is, at a moment since its beginning; null = nothing is heard. */
type Course = (t: Millis) => ReadingValue | null

export interface Metric {
  name: string
  unit?: string
  course: Course
}

/** What a device says in the course of some minutes. */
export interface Scene {
  device: string
  labels?: Readonly<Record<string, string>>
  metrics: readonly Metric[]
  every: Millis
  lasts: Millis
}

const SECOND: Millis = 1000

/** Straight from point to point (`seconds:value`), with a tremble on top; to one or two decimals, as sensors say it. */
function through(points: string, tremble: number, decimals = 1): Course {
  const known = points.split(' ').map((point) => point.split(':').map(Number) as [seconds: number, value: number])
  return (t) => {
    const s = t / SECOND
    const next = known.findIndex(([at]) => at >= s) || 1
    const [since, from] = known[next - 1] ?? [0, 0]
    const [until, to] = known[next] ?? [0, 0]
    const straight = from + ((to - from) * (s - since)) / (until - since)
    return Number((straight + tremble * (2 * uniformAt(1, t) - 1)).toFixed(decimals))
  }
}

/** A course that stays where it was for a while. */
const frozen =
  (course: Course, from: number, to: number): Course =>
  (t) =>
    course(t >= from * SECOND && t < to * SECOND ? from * SECOND : t)

/** A course of which nothing is heard for a while. */
const silent =
  (course: Course, from: number, to: number): Course =>
  (t) =>
    t > from * SECOND && t < to * SECOND ? null : course(t)

const one = (device: string, metric: Metric, seconds = 300, every = 5): Scene => ({
  device,
  metrics: [metric],
  every: every * SECOND,
  lasts: seconds * SECOND,
})

const temperature = (course: Course): Metric => ({ name: 'temperature', unit: 'Cel', course })

/** By the name of the picture. */
export const SCENES: Readonly<Record<string, Scene>> = {
  above: {
    ...one(
      'press-4',
      temperature(through('0:71 60:74 100:82 130:83 150:78 165:82 185:77.5 215:76 240:73 300:70', 0.5)),
    ),
    labels: { line: 'a' },
  },
  below: one('pump-2', {
    name: 'pressure',
    unit: 'bar',
    course: through('0:3.2 70:2.7 110:1.7 150:1.85 170:2.2 190:1.8 235:2.7 300:3.1', 0.05, 2),
  }),
  outside: one('basin-1', {
    name: 'ph',
    course: through('0:7.2 50:7.6 80:8.2 115:8.1 140:7.7 180:7 210:6.3 240:6.4 260:6.9 300:7.1', 0.03, 2),
  }),
  inside: one('fan-7', {
    name: 'speed',
    unit: '1/min',
    course: through('0:610 70:850 100:980 150:1040 175:1115 190:1085 230:1250 300:1380', 8, 0),
  }),
  ladder: one(
    'tank-3',
    {
      name: 'level',
      unit: '%',
      course: through('0:62 50:76 75:83 105:93 130:92 150:87 165:82 190:78 210:70 290:24 320:16 345:17 360:22', 0.6),
    },
    360,
  ),
  rate: one('oven-1', temperature(through('0:40 90:42 150:52 190:56 240:57 300:57.5', 0.15))),
  stuck: one('meter-6', {
    name: 'flow',
    unit: 'l/min',
    course: frozen(through('0:12 80:13 150:12.4 220:11.8 300:12.6', 0.6, 2), 95, 205),
  }),
  missing: one('fridge-9', temperature(silent(through('0:4.1 110:4.4 230:5.2 300:4.6', 0.15), 110, 220)), 300, 10),
  deviation: one('motor-2', {
    name: 'vibration',
    unit: 'mm/s',
    course: through('0:2 120:2.15 215:2.1 220:3.3 235:3.4 240:2.2 300:2.1', 0.22, 2),
  }),
  when: {
    device: 'loop-1',
    metrics: [
      {
        name: 'flow',
        unit: 'l/min',
        course: through('0:2 40:2 60:14 130:13 165:4 200:4.5 215:6 235:12 260:11 275:2 300:2', 0.5),
      },
      { name: 'pump', course: (t) => t >= 45 * SECOND && t < 265 * SECOND },
    ],
    every: 5 * SECOND,
    lasts: 300 * SECOND,
  },
  delays: one(
    'press-4',
    temperature(through('0:76 40:77 50:83 60:77 85:78 95:82 150:83 165:76 178:77 185:82 200:82 215:76 300:74', 0.4)),
  ),
  'm-of-n': one(
    'press-4',
    temperature((t) => {
      const s = t / SECOND
      const isSpike = s === 40 || (s >= 120 && s <= 190 && s % 20 !== 0) || s === 250
      return Number(((isSpike ? 83 : 75) + 2 * (2 * uniformAt(2, t) - 1)).toFixed(1))
    }),
  ),
  reraise: one(
    'press-4',
    temperature(through('0:76 30:77 40:82 55:77 80:78 90:82 105:77 125:78 135:82 225:83 240:76 300:75', 0.4)),
  ),
}
