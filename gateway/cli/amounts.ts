import type { Bytes, Millis } from '../../sync/contract/index.ts'

const SIZES: readonly [unit: string, factor: number][] = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
]

/** A size for people, three digits or so: `1.25 GB`, `640 B`. */
export function roughBytes(bytes: Bytes): string {
  const size = SIZES.find(([, factor]) => bytes >= factor)
  return size ? `${(bytes / size[1]).toPrecision(3)} ${size[0]}` : `${Math.round(bytes)} B`
}

const SPANS: readonly [unit: string, factor: Millis][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
]

/** A time span for people: `3.5 h`, `12 s`. */
export function roughDuration(millis: Millis): string {
  const span = SPANS.find(([, factor]) => millis >= factor)
  return span ? `${(millis / span[1]).toFixed(1)} ${span[0]}` : `${Math.round(millis / 1000)} s`
}
