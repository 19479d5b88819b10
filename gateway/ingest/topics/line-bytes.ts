import { type Bytes, lineParts } from '../../../sync/contract/index.ts'
import { viewOf } from '../words.ts'

/** Pieces that the lines of one topic's readings have in common, as bytes. */
export interface LineBytes {
  /** Up to and with the key `value`. */
  readonly opening: DataView
  /** Where in `opening` the name of the device stands; both 0 when it does not stand there as it is. */
  readonly deviceStart: number
  readonly deviceEnd: number
  /** The template's unit with its key. */
  readonly unit: DataView
  /** From the key `labels` on, or from the bracket. */
  readonly closing: DataView
  /** Of all three. */
  readonly size: Bytes
}

const BEFORE_DEVICE = '{"device":"'

export function lineBytes(
  device: string,
  metric: string,
  unit: string | null,
  labels: Readonly<Record<string, string>> | null,
): LineBytes {
  const { prefix, labelsText } = lineParts(device, metric, labels)
  const opening = Buffer.from(`${prefix}"value":`)
  const ownUnit = Buffer.from(unit === null ? '' : `,"unit":${JSON.stringify(unit)}`)
  const closing = Buffer.from(labels === null ? '}\n' : `,"labels":${labelsText}}\n`)
  const isPlain = prefix.startsWith(`${BEFORE_DEVICE}${device}"`)
  return {
    opening: viewOf(opening),
    deviceStart: isPlain ? BEFORE_DEVICE.length : 0,
    deviceEnd: isPlain ? BEFORE_DEVICE.length + Buffer.byteLength(device) : 0,
    unit: viewOf(ownUnit),
    closing: viewOf(closing),
    size: opening.length + ownUnit.length + closing.length,
  }
}
