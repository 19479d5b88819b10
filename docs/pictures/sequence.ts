import { label, line, short, svg, widthOf } from './svg.ts'

/**
 * A sequence diagram as lines of text, top to bottom:
 *
 *     gw-1 > gw-2: blocks          a message
 *     gw-1 x gw-2: beat            one that does not arrive
 *     gw-1: decides its alarms     what somebody does; `gw-1!: ...` when it is bad
 *     gw-1 dies                    its line ends, until `gw-1 starts`
 *     = seconds later              time goes by
 */
export interface Sequence {
  title: string
  /** From left to right. */
  who: readonly string[]
  steps: readonly string[]
}

type Step =
  | { kind: 'message'; from: number; to: number; text: string; lost: boolean }
  | { kind: 'note'; at: number; text: string; bad: boolean }
  | { kind: 'life'; at: number; begins: boolean }
  | { kind: 'time'; text: string }

const LEFT = 90
const COLUMN = 215
const TOP = 56
const ROW: Readonly<Record<Step['kind'], number>> = { message: 30, note: 32, life: 22, time: 28 }

export function sequencePicture({ title, who, steps }: Sequence): string {
  const x = (at: number): number => LEFT + at * COLUMN
  const read = steps.map((step) => parse(step, who))
  const body: string[] = []
  /** Where the line of each begins that is alive. */
  const alive = who.map((): number | null => TOP - 14)
  const lives: string[] = []
  let y = TOP
  for (const step of read) {
    y += ROW[step.kind]
    if (step.kind === 'message') body.push(...message(x(step.from), x(step.to), y, step))
    else if (step.kind === 'note') body.push(...note(x(step.at), y, step))
    else if (step.kind === 'time') body.push(label(x(0) - 70, y, `… ${step.text}`, { is: 'quiet' }))
    else if (step.begins) {
      alive[step.at] = y
      body.push(label(x(step.at), y - 4, 'starts', { is: 'clear', anchor: 'middle' }))
    } else {
      const from = alive[step.at]
      if (typeof from === 'number') lives.push(lifeLine(x(step.at), from, y))
      alive[step.at] = null
      body.push(...cross(x(step.at), y))
    }
  }
  const bottom = y + 22
  for (const [at, from] of alive.entries()) if (from !== null) lives.push(lifeLine(x(at), from, bottom))
  const heads = who.flatMap((name, at) => box(x(at), 30, name, 'box', true))
  return svg(LEFT * 2 + (who.length - 1) * COLUMN, bottom + 10, title, [...lives, ...heads, ...body])
}

function parse(step: string, who: readonly string[]): Step {
  const at = (name: string): number => {
    const place = who.indexOf(name)
    if (place < 0) throw new Error(`'${step}': nobody is called '${name}'`)
    return place
  }
  const time = /^= (.*)$/.exec(step)
  if (time) return { kind: 'time', text: time[1] ?? '' }
  const life = /^(\S+) (dies|starts)$/.exec(step)
  if (life) return { kind: 'life', at: at(life[1] ?? ''), begins: life[2] === 'starts' }
  const said = /^(\S+) ([>x]) (\S+): (.*)$/.exec(step)
  if (said) {
    const [, from = '', how, to = '', text = ''] = said
    return { kind: 'message', from: at(from), to: at(to), text, lost: how === 'x' }
  }
  const [, name = '', bad, text = ''] = /^([^\s:!]+)(!?): (.*)$/.exec(step) ?? []
  return { kind: 'note', at: at(name), text, bad: bad === '!' }
}

function message(from: number, to: number, y: number, { text, lost }: { text: string; lost: boolean }): string[] {
  const way = Math.sign(to - from)
  const end = lost ? from + (to - from) * 0.6 : to
  const tip = end - way * 2
  const shaft = line(lost ? 'raise' : 'event', [
    [from, y],
    [tip, y],
  ])
  const head = line('event', [
    [tip - way * 7, y - 4],
    [tip, y],
    [tip - way * 7, y + 4],
  ])
  // Above the first half: what goes further passes by other lines.
  const beside = from + (way * COLUMN) / 2
  return [shaft, ...(lost ? cross(end, y) : [head]), label(beside, y - 5, text, { anchor: 'middle' })]
}

function note(x: number, y: number, { text, bad }: { text: string; bad: boolean }): string[] {
  return box(x, y - 4, text, bad ? 'loud' : 'box', false)
}

function box(x: number, y: number, text: string, is: string, bold: boolean): string[] {
  const width = Math.max(widthOf(text) + 14, bold ? 90 : 0)
  return [
    `<rect class="${is}" x="${short(x - width / 2)}" y="${short(y - 12)}" width="${short(width)}" height="22" rx="4"/>`,
    label(x, y + 3, text, { anchor: 'middle', bold }),
  ]
}

const lifeLine = (x: number, from: number, to: number): string =>
  line('frame', [
    [x, from],
    [x, to],
  ])

const cross = (x: number, y: number): string[] => [
  line('loud', [
    [x - 6, y - 6],
    [x + 6, y + 6],
  ]),
  line('loud', [
    [x - 6, y + 6],
    [x + 6, y - 6],
  ]),
]
