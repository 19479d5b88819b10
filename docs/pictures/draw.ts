import { formatDuration } from '../../gateway/config/duration.ts'
import type { Rule } from '../../gateway/rules/rule.ts'
import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import type { Level, Panel, Point } from './levels.ts'
import type { Span, Story } from './story.ts'
import { label, line, short, svg, widthOf } from './svg.ts'

const WIDTH = 760
const LEFT = 52
const RIGHT = 668
const LANE = 15
const GAP = 30
const TICK_EVERY: Millis = 60_000

interface Plot extends Panel {
  top: number
  bottom: number
  x(time: Millis): number
  y(value: number): number
}

/** The course of a story: curves, levels, what counts when, and the moments of events. */
export function drawStory(name: string, rule: Rule, panels: readonly Panel[], story: Story): string {
  const x = (time: Millis): number => LEFT + ((RIGHT - LEFT) * (time - story.begin)) / (story.end - story.begin)
  const marks = marksOf(story.events, x)
  const head = LANE * (1 + Math.max(0, ...marks.map(({ lane }) => lane))) + 8
  const plots: Plot[] = []
  let top = head + 18
  for (const panel of panels) {
    const height = panel.isSwitch ? 34 : panels.length > 1 ? 120 : 180
    plots.push({ ...panel, top, bottom: top + height, x, y: scaleOf(panel, top, top + height) })
    top += height + GAP
  }
  const bottom = top - GAP
  const body = [
    ...story.spans.map((span) => spanOf(span, x, plots[0]?.top ?? 0, bottom)),
    ...plots.flatMap(drawPlot),
    ...waitsOf(rule, story).flatMap((wait) => drawWait(wait, x, bottom)),
    ...marks.map(({ at, lane }) => `<path class="event" d="M${short(at)} ${LANE * (lane + 1) + 3}V${bottom}"/>`),
    // Over the lines, with a ground of their own.
    ...plots.map(({ top: at, title }) => label(LEFT, at - 5, title, { is: 'quiet' })),
    ...marks.map(({ at, text, lane }) =>
      label(clamped(at, text), LANE * (lane + 1), text, { anchor: 'middle', bold: true }),
    ),
    ...ticks(story, x, bottom),
  ]
  return svg(WIDTH, bottom + 24, `${name}: rule ${rule.id}`, body)
}

const spanOf = ({ condition, from, to }: Span, x: Plot['x'], top: number, bottom: number): string => {
  const is = condition === 'hihi' || condition === 'lolo' ? 'span deep' : 'span'
  return `<rect class="${is}" x="${short(x(from))}" y="${top}" width="${short(x(to) - x(from))}" height="${bottom - top}"/>`
}

function drawPlot(plot: Plot): string[] {
  const { top, bottom, points, isSwitch, levels, x, y } = plot
  const parts = [
    `<rect class="frame" x="${LEFT}" y="${top}" width="${RIGHT - LEFT}" height="${bottom - top}"/>`,
    ...levels.map((level) => levelLine(level, plot)),
    ...levelLabels(plot),
  ]
  if (isSwitch) {
    parts.push(label(LEFT - 6, y(1) + 4, 'true', { is: 'quiet', anchor: 'end' }))
    parts.push(label(LEFT - 6, y(0) + 4, 'false', { is: 'quiet', anchor: 'end' }))
  } else
    for (const value of axisValues(plot))
      parts.push(label(LEFT - 6, y(value) + 4, String(value), { is: 'quiet', anchor: 'end' }))
  for (const piece of isSwitch ? [stairs(points)] : pieces(points))
    parts.push(
      line(
        'curve',
        piece.map(([time, value]) => [x(time), y(value)]),
      ),
    )
  const dots = isSwitch ? [] : points.map(([time, value]) => `M${short(x(time))} ${short(y(value))}h0`)
  if (dots.length > 0) parts.push(`<path class="dot" stroke-width="4" d="${dots.join('')}"/>`)
  return parts
}

/** A truth value counts until the next one comes. */
const stairs = (points: readonly Point[]): Point[] =>
  points.flatMap(([time, value], i): Point[] => {
    const before = points[i - 1]
    return before && before[1] !== value
      ? [
          [time, before[1]],
          [time, value],
        ]
      : [[time, value]]
  })

/** Where readings stay out, the curve is broken. */
function pieces(points: readonly Point[]): Point[][] {
  const usual = Math.min(...points.slice(1).map(([time], i) => time - (points[i]?.[0] ?? time)))
  const found: Point[][] = []
  for (const [i, point] of points.entries()) {
    const before = points[i - 1]
    if (before && point[0] - before[0] <= 2 * usual) found.at(-1)?.push(point)
    else found.push([point])
  }
  return found
}

function levelLine({ at, is }: Level, { x, y }: Plot): string {
  if (typeof at === 'number') return `<path class="${is}" d="M${LEFT} ${short(y(at))}H${RIGHT}"/>`
  return line(
    is,
    at.map(([time, value]) => [x(time), y(value)]),
  )
}

/** Beside the plot, apart from each other. */
function levelLabels({ levels, y }: Plot): string[] {
  const found = levels
    .filter(({ label: text }) => text !== '')
    .map(({ label: text, is, at }) => ({ text, is, y: y(typeof at === 'number' ? at : (at.at(-1)?.[1] ?? 0)) + 4 }))
    .sort((one, other) => one.y - other.y)
  let free = Number.NEGATIVE_INFINITY
  return found.map(({ text, is, y: wanted }) => {
    const at = Math.max(wanted, free)
    free = at + 13
    return label(RIGHT + 6, at, text, { is })
  })
}

function scaleOf({ points, levels, isSwitch }: Panel, top: number, bottom: number): Plot['y'] {
  const values = [
    ...points.map(([, value]) => value),
    ...levels.flatMap(({ at }) => (typeof at === 'number' ? [at] : at.map(([, value]) => value))),
  ]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const room = isSwitch ? 9 : 14
  return (value) => bottom - room - ((bottom - top - 2 * room) * (value - low)) / (high - low || 1)
}

/** Round numbers over the height of a plot. */
function axisValues({ top, bottom, y }: Plot): number[] {
  const unit = Math.abs(y(1) - y(0))
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((one) => one * unit >= 30) ?? 1000
  const first = Math.ceil((bottom - 4 - y(0)) / -unit / step)
  const values: number[] = []
  for (let i = first; y(i * step) > top + 4; i++) values.push(Number((i * step).toFixed(1)))
  return values
}

interface Mark {
  at: number
  text: string
  lane: number
}

/** What is written over the moments of events, in as few lanes as it takes to read all of it. */
function marksOf(events: readonly ThresholdEvent[], x: Plot['x']): Mark[] {
  const ends: number[] = []
  return events.map(({ type, time, data }) => {
    const { before, after } = data['condition'] as { before: string | null; after: string | null }
    const kind = type.split('.').at(-1) ?? type
    const text = kind === 'changed' ? `changed: ${before} → ${after}` : after === null ? kind : `${kind}: ${after}`
    const at = x(time)
    const from = clamped(at, text) - widthOf(text) / 2
    const free = ends.findIndex((end) => end < from)
    const lane = free < 0 ? ends.length : free
    ends[lane] = from + widthOf(text) + 6
    return { at, text, lane }
  })
}

/** Where the middle of a text is that stays within the picture. */
const clamped = (at: number, text: string): number =>
  Math.min(Math.max(at, widthOf(text) / 2 + 4), WIDTH - widthOf(text) / 2 - 4)

interface Wait {
  text: string
  from: Millis
  to: Millis
}

/** How long it was waited for what happened. */
function waitsOf(rule: Rule, { events }: Story): Wait[] {
  const { condition, clearFor, reraiseAfter } = rule
  let cleared: Millis | null = null
  return events.flatMap(({ type, time }): Wait[] => {
    const before = (text: string, wait: Millis): Wait[] =>
      wait === 0 ? [] : [{ text: `${text} ${formatDuration(wait)}`, from: time - wait, to: time }]
    if (type.endsWith('.cleared')) {
      cleared = time
      return before('clearFor', clearFor)
    }
    if (cleared !== null && reraiseAfter > 0 && time === cleared + reraiseAfter)
      return before('reraiseAfter', reraiseAfter)
    if (condition.kind === 'stuck' || condition.kind === 'missing') return before('after', condition.after)
    return before('for', rule.for)
  })
}

function drawWait({ text, from, to }: Wait, x: Plot['x'], bottom: number): string[] {
  const y = bottom - 6
  const [start, end] = [x(from), x(to)]
  const bracket = `<path class="event" d="M${short(start)} ${y - 4}v8m0-4H${short(end)}"/>`
  const fits = end - start > widthOf(text) + 8
  return [
    bracket,
    fits
      ? label((start + end) / 2, y - 4, text, { anchor: 'middle' })
      : label(start - 5, y + 4, text, { anchor: 'end' }),
  ]
}

function ticks({ begin, end }: Story, x: Plot['x'], bottom: number): string[] {
  const found: string[] = []
  for (let time = begin; time <= end; time += TICK_EVERY)
    found.push(label(x(time), bottom + 16, `${(time - begin) / 60_000} min`, { is: 'quiet', anchor: 'middle' }))
  return found
}
