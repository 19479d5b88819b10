import type { PayloadForm } from '../fleet/index.ts'

/** The forms (see `PayloadForm`) that a load can have: those whose length need not change from one reading to the next. */
export type LoadForm = Exclude<PayloadForm, 'array'>

/** A payload whose length never changes, and where in it the digits stand that do; offsets in bytes. */
export interface Layout {
  bytes: Buffer
  /** Ten digits; null where nothing in the payload counts. */
  seqAt: number | null
  /** `millis`: thirteen digits; `seconds`: ten, a point, and three. */
  time: { at: number; as: 'millis' | 'seconds' } | null
  /** `20.000` and the like, as many as there are readings: the last four digits change. */
  valuesAt: readonly number[]
}

export interface LayoutOptions {
  device: string
  /** Of the first reading, where the payload names it. */
  metric: string
  session: string
}

/** What a multi-sensor measures beside its first metric. */
const MORE_METRICS = [
  { metric: 'humidity', unit: '%RH' },
  { metric: 'pressure', unit: 'Pa' },
  { metric: 'voltage', unit: 'V' },
] as const

type Part = string | { digits: 'seq' | 'time' | 'seconds' | 'value'; text: string }

const SEQ: Part = { digits: 'seq', text: '0'.repeat(10) }
const TIME: Part = { digits: 'time', text: '0'.repeat(13) }
const SECONDS: Part = { digits: 'seconds', text: `${'0'.repeat(10)}.000` }
/** Metrics of one payload differ in the first digit, which stays. */
const value = (tens: number): Part => ({ digits: 'value', text: `${tens}0.000` })

const PARTS: Readonly<Record<LoadForm, (options: LayoutOptions) => readonly Part[]>> = {
  number: () => [value(2)],
  object: ({ device, session }) => [
    `{"device":${JSON.stringify(device)},"seq":`,
    SEQ,
    ',"time":',
    TIME,
    ',"value":',
    value(2),
    `,"unit":"Cel","session":${JSON.stringify(session)}}`,
  ],
  flat: ({ metric, session }) => [
    '{"seq":',
    SEQ,
    ',"time":',
    TIME,
    `,${JSON.stringify(metric)}:`,
    value(2),
    ...MORE_METRICS.flatMap((more, index) => [`,"${more.metric}":`, value(index + 3)]),
    `,"session":${JSON.stringify(session)}}`,
  ],
  senml: ({ device, metric }) => [
    `[{"bn":${JSON.stringify(`${device}:`)},"bt":`,
    SECONDS,
    `,"n":${JSON.stringify(metric)},"u":"Cel","v":`,
    value(2),
    ...MORE_METRICS.flatMap((more, index) => [`},{"n":"${more.metric}","u":"${more.unit}","v":`, value(index + 3)]),
    '}]',
  ],
}

/** The payload of this form, with zeros for digits that are to be filled in. */
export function layoutOf(form: LoadForm, options: LayoutOptions): Layout {
  const layout: Layout & { valuesAt: number[] } = { bytes: Buffer.alloc(0), seqAt: null, time: null, valuesAt: [] }
  let text = ''
  for (const part of PARTS[form](options)) {
    const at = Buffer.byteLength(text)
    if (typeof part === 'string') text += part
    else {
      text += part.text
      if (part.digits === 'seq') layout.seqAt = at
      else if (part.digits === 'value') layout.valuesAt.push(at)
      else layout.time = { at, as: part.digits === 'time' ? 'millis' : 'seconds' }
    }
  }
  return { ...layout, bytes: Buffer.from(text) }
}

/** Readings that one publish carries. */
export const readingsIn = (form: LoadForm): number =>
  layoutOf(form, { device: '', metric: '', session: '' }).valuesAt.length
