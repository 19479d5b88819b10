import type { Millis, ReadingValue } from '../../sync/contract/index.ts'
import type { PayloadForm } from './device.ts'

/** A reading before it is written down. */
export interface Draft {
  metric: string
  unit: string
  value: ReadingValue
  time: Millis
  seq: number
  session?: string
}

/** Which forms say the metrics in the payload, so that one publish carries all of them. */
export const namesMetrics = (form: PayloadForm): boolean => form === 'flat' || form === 'senml'

/** The payload of one publish; `drafts` are of one sample, or (array) of one metric. */
export function encodePayload(form: PayloadForm, drafts: readonly Draft[]): Buffer {
  const [first] = drafts
  if (first === undefined) throw new RangeError('a payload carries at least one reading')
  switch (form) {
    case 'number':
      return Buffer.from(JSON.stringify(first.value))
    case 'object':
      return Buffer.from(JSON.stringify(objectOf(first)))
    case 'array':
      return Buffer.from(JSON.stringify(drafts.map(objectOf)))
    case 'flat': {
      const { time, seq, session } = first
      const values = Object.fromEntries(drafts.map(({ metric, value }) => [metric, value]))
      return Buffer.from(JSON.stringify({ ...values, time, seq, session }))
    }
    case 'senml':
      return Buffer.from(JSON.stringify(drafts.map(senmlOf)))
  }
}

function objectOf({ value, unit, time, seq, session }: Draft): object {
  return { value, unit, time, seq, session, quality: 'good' }
}

/** RFC 8428 §4.2, §4.3: the base time stands in the first record only; `v`, `vb`, `vs` by the value's type. */
function senmlOf({ metric, unit, value, time }: Draft, index: number): object {
  const typed = typeof value === 'number' ? { v: value } : typeof value === 'boolean' ? { vb: value } : { vs: value }
  return { ...(index === 0 ? { bt: time / 1000 } : {}), n: metric, u: unit, ...typed }
}
