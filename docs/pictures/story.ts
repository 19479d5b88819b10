import { Engine, type RuleSet } from '../../gateway/rules/index.ts'
import type { Millis, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import type { Scene } from './scenes.ts'

/** When a scene begins: Monday, 5 January 2026, 08:00 UTC. */
const BEGIN: Millis = Date.UTC(2026, 0, 5, 8)

/** A condition that counts, for a while. */
export interface Span {
  condition: string
  from: Millis
  to: Millis
}

/** A scene, and what the engine made of it. Times of readings and events are absolute, of spans too. */
export interface Story {
  begin: Millis
  end: Millis
  readings: readonly Reading[]
  events: readonly ThresholdEvent[]
  spans: readonly Span[]
}

/** What the gateway's own engine decides over a scene. */
export function play(rules: RuleSet, scene: Scene): Story {
  const end = BEGIN + scene.lasts
  const readings = readingsOf(scene)
  const engine = new Engine(rules, { changed() {}, gone() {} }, { from: 0 }, '@gw-1')
  engine.resume(BEGIN, [])
  const events = readings.flatMap((reading, offset) => engine.apply(reading, offset))
  events.push(...engine.advance(end))
  return { begin: BEGIN, end, readings, events, spans: spansOf(events, end) }
}

function readingsOf({ device, labels, metrics, every, lasts }: Scene): Reading[] {
  const readings: Reading[] = []
  for (let t = 0; t <= lasts; t += every)
    for (const { name, unit, course } of metrics) {
      const value = course(t)
      if (value === null) continue
      const time = BEGIN + t
      readings.push({
        device,
        metric: name,
        value,
        ...(unit === undefined ? {} : { unit }),
        time,
        received: time,
        ...(labels === undefined ? {} : { labels }),
      })
    }
  return readings
}

function spansOf(events: readonly ThresholdEvent[], end: Millis): Span[] {
  const spans: Span[] = []
  let open: Omit<Span, 'to'> | null = null
  for (const { time, data } of events) {
    if (open) spans.push({ ...open, to: time })
    const { after } = data['condition'] as { after: string | null }
    open = after === null ? null : { condition: after, from: time }
  }
  if (open) spans.push({ ...open, to: end })
  return spans
}
