import { type Bytes, lineParts } from '../../../sync/contract/index.ts'
import { keptView } from '../words.ts'

/** Pieces that the lines of one topic's readings have in common, as bytes. */
export interface LineBytes {
  /** Up to and with the key `value`. */
  readonly opening: DataView
  /** The name of the device as it stands in JSON; null when it stands there otherwise. */
  readonly device: DataView | null
  /** The template's unit with its key. */
  readonly unit: DataView
  /** From the key `labels` on, or from the bracket. */
  readonly closing: DataView
  /** Of all three. */
  readonly size: Bytes
}

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
  const own = Buffer.from(device)
  const isPlain = prefix.startsWith(`{"device":"${device}"`)
  const view = keptView([opening, ownUnit, closing, own])
  const piece = (at: number, length: number): DataView => new DataView(view.buffer, at, length)
  const size = opening.length + ownUnit.length + closing.length
  return {
    opening: piece(0, opening.length),
    device: isPlain ? piece(size, own.length) : null,
    unit: piece(opening.length, ownUnit.length),
    closing: piece(opening.length + ownUnit.length, closing.length),
    size,
  }
}
