import {
  type AlarmLife,
  type AlarmState,
  freshLife,
  type Happening,
  live,
  stateOf,
} from '../../gateway/rules/lifecycle.ts'
import { label, svg } from './svg.ts'

/** A way from one state of an alarm to another. */
interface Way {
  from: AlarmState
  to: AlarmState
  /** As it is written on its arrow. */
  by: string
}

interface Arrow {
  way: Way
  /** SVG path, and where its label stands. */
  path: string
  at: readonly [x: number, y: number]
  anchor?: 'start' | 'end'
}

const BOXES: readonly { state: AlarmState; x: number; y: number; words: string; is: string }[] = [
  { state: 'normal', x: 20, y: 120, words: 'nothing to do', is: 'box' },
  { state: 'unacknowledged', x: 290, y: 30, words: 'it is there, unseen', is: 'loud' },
  { state: 'acknowledged', x: 580, y: 30, words: 'it is there, seen', is: 'loud' },
  { state: 'returned', x: 290, y: 210, words: 'it was there, unseen', is: 'box' },
  { state: 'latched', x: 580, y: 210, words: 'it was there, seen', is: 'box' },
]

const way = (from: AlarmState, by: string, to: AlarmState): Way => ({ from, by, to })

const ARROWS: readonly Arrow[] = [
  { way: way('normal', 'raised', 'unacknowledged'), path: 'M90 120V40H288', at: [170, 34] },
  { way: way('unacknowledged', 'acknowledge', 'acknowledged'), path: 'M440 44H578', at: [472, 38] },
  { way: way('acknowledged', 'changed, worse', 'unacknowledged'), path: 'M580 66H442', at: [462, 82] },
  { way: way('unacknowledged', 'cleared', 'returned'), path: 'M350 80V208', at: [344, 174], anchor: 'end' },
  { way: way('returned', 'raised', 'unacknowledged'), path: 'M380 210V82', at: [386, 174] },
  { way: way('acknowledged', 'cleared', 'normal'), path: 'M600 80V132H162', at: [452, 126] },
  { way: way('acknowledged', 'cleared (latch)', 'latched'), path: 'M630 80V208', at: [636, 118] },
  { way: way('latched', 'raised', 'unacknowledged'), path: 'M610 210V152H420V82', at: [520, 147] },
  { way: way('returned', 'acknowledge', 'normal'), path: 'M290 224H140V172', at: [168, 218] },
  { way: way('returned', 'acknowledge (latch)', 'latched'), path: 'M440 235H578', at: [452, 229] },
  { way: way('returned', 'reset (latch)', 'normal'), path: 'M290 246H110V172', at: [168, 240] },
  { way: way('latched', 'reset', 'normal'), path: 'M655 260V284H60V172', at: [380, 279] },
]

/** The life of an alarm, as ISA-18.2 draws it. */
export function drawLife(): string {
  const missing = waysOf().filter((one) => !ARROWS.some(({ way: drawn }) => same(drawn, one)))
  const wrong = ARROWS.filter(({ way: drawn }) => !waysOf().some((one) => same(drawn, one)))
  if (missing.length + wrong.length > 0)
    throw new Error(
      `expected the arrows to be the ways that an alarm can go, but ${JSON.stringify({ missing, wrong: wrong.map((arrow) => arrow.way) })}`,
    )
  const tip =
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path class="event" d="M0 0L10 5L0 10"/></marker></defs>'
  return svg(760, 366, 'The life of an alarm', [
    tip,
    ...BOXES.flatMap(({ state, x, y, words, is }) => [
      `<rect class="${is}" x="${x}" y="${y}" width="${state === 'normal' ? 140 : 150}" height="50" rx="8"/>`,
      label(x + 75, y + 21, state, { anchor: 'middle', bold: true }),
      label(x + 75, y + 39, words, { is: 'quiet', anchor: 'middle' }),
    ]),
    ...ARROWS.map(({ path }) => `<path class="event" d="${path}" marker-end="url(#tip)"/>`),
    ...ARROWS.map(({ way: { by }, at: [x, y], anchor = 'start' }) => label(x, y, by, { anchor })),
    '<rect class="box" x="20" y="306" width="720" height="46" rx="8"/>',
    label(380, 325, 'shelved, suppressed, outOfService: from any state, and back to what it has become meanwhile', {
      anchor: 'middle',
      bold: true,
    }),
    label(380, 342, 'readings are followed, and nobody is told of them', { is: 'quiet', anchor: 'middle' }),
  ])
}

const same = (one: Way, other: Way): boolean => one.from === other.from && one.by === other.by && one.to === other.to

/** Every way that leads to another state, found by trying everything on every life that an alarm can have. */
export function waysOf(): Way[] {
  const found: Way[] = []
  for (const latch of [false, true])
    for (const life of livesOf(latch))
      for (const [by, happening] of happenings(latch)) {
        const after = live(life, happening)
        if (after === null || !canHappen(life, happening)) continue
        const [from, to] = [stateOf(life), stateOf(after)]
        const plain = { from, by, to }
        // What happens only to those that latch says so, where others go elsewhere or nowhere.
        const differs = latch && from !== 'latched' && !found.some((one) => same(one, plain))
        const named = differs ? { from, by: `${by} (latch)`, to } : plain
        if (from !== to && !found.some((one) => same(one, named))) found.push(named)
      }
  return found
}

const happenings = (latch: boolean): [string, Happening][] => [
  ['raised', { kind: 'raise', condition: 'hi' }],
  ['changed', { kind: 'change', condition: 'hi', worse: false }],
  ['changed, worse', { kind: 'change', condition: 'hihi', worse: true }],
  ['cleared', { kind: 'clear', latch }],
  ['acknowledge', { kind: 'acknowledge' }],
  ['reset', { kind: 'reset' }],
]

/** Only what is not there is raised, only what is there changes or clears. */
const canHappen = (life: AlarmLife, { kind }: Happening): boolean =>
  kind === 'raise' ? life.condition === null : kind === 'change' || kind === 'clear' ? life.condition !== null : true

/** Every life that is reached from a new one. */
function livesOf(latch: boolean): AlarmLife[] {
  const lives = [freshLife()]
  const known = new Set(lives.map((life) => JSON.stringify(life)))
  for (const life of lives)
    for (const [, happening] of happenings(latch)) {
      const after = canHappen(life, happening) ? live(life, happening) : null
      if (after === null || known.has(JSON.stringify(after))) continue
      known.add(JSON.stringify(after))
      lives.push(after)
    }
  return lives
}
