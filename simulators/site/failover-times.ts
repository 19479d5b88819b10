import { type Move, percentile } from '../fleet/index.ts'

/** Milliseconds; null when nothing moved. */
export interface Percentiles {
  p50: number | null
  p99: number | null
}

/** How long devices were without a gateway after theirs was killed, over all connections and kills. */
export interface FailoverTimes extends Percentiles {
  /** Times that a connection went from a gateway that was killed to another one. */
  moves: number
  /** The same from the moment when the client noticed. */
  afterNotice: Percentiles
  /** From the kill to the new connection: without the time until the device had something to say. */
  connected: Percentiles
}

export function failoverTimes(moves: readonly Move[]): FailoverTimes {
  return {
    ...percentiles(moves.map(({ afterKill }) => afterKill)),
    moves: moves.length,
    afterNotice: percentiles(moves.map(({ afterNotice }) => afterNotice)),
    connected: percentiles(moves.map(({ connected }) => connected)),
  }
}

const percentiles = (values: readonly number[]): Percentiles => {
  const rounded = values.map(Math.round)
  return { p50: percentile(rounded, 0.5), p99: percentile(rounded, 0.99) }
}
