import { type Batch, decodeRecord, type RecordOf } from '../../../sync/consumer/index.ts'
import type { Lane, Millis, StreamSequence } from '../../../sync/contract/index.ts'

/** One record, ready to be shown. */
export interface Row {
  lane: Lane
  time: Millis
  device: string
  metric: string
  value: string
  unit: string
  /** `site/gateway` */
  gateway: string
  offset: string
  /** Whatever else is worth a word: a doubtful quality, the reason of a dead letter. */
  note: string
  /** Everything, for programs. */
  full: Readonly<Record<string, unknown>>
}

/**
 * One line of a batch as a row.
 *
 * @throws DeadLetterError when the line is not what it should be
 */
export function rowOf(lane: Lane, batch: Batch, index: number, sequence: StreamSequence): Row {
  const line = batch.lines[index] ?? ''
  const { site, gateway, origin } = batch
  const offset = batch.offsets[index] ?? 0
  const record = decodeRecord[lane](line, batch)
  const cells = cellsOf[lane]
  return {
    lane,
    gateway: gateway === null ? site : `${site}/${gateway}`,
    offset: lane === 'events' ? `#${offset}` : String(offset),
    ...(cells as (of: RecordOf[Lane]) => Cells)(record),
    full: { stream: lane, site, gateway, origin, offset, sequence, ...record },
  }
}

type Cells = Pick<Row, 'time' | 'device' | 'metric' | 'value' | 'unit' | 'note'>

const cellsOf: { [L in Lane]: (record: RecordOf[L]) => Cells } = {
  readings: ({ time, device, metric, value, unit, quality }) => ({
    time,
    device,
    metric,
    value: typeof value === 'string' ? JSON.stringify(value) : String(value),
    unit: unit ?? '',
    note: quality === undefined || quality === 'good' ? '' : quality,
  }),
  events: ({ time, device, rule, type }) => ({
    time,
    device,
    metric: rule,
    value: type.split('.').at(-1) ?? type,
    unit: '',
    note: '',
  }),
  deadletters: ({ received, client, topic, code, reason }) => ({
    time: received,
    device: client,
    metric: topic,
    value: code,
    unit: '',
    note: reason,
  }),
}
