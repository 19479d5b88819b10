import type { Measurement } from '../bench.ts'
import { compare } from '../statistics.ts'
import type { Contender } from './contenders.ts'
import type { Round } from './rounds.ts'
import type { Run } from './run.ts'

/** One number of a run, and how a row says it. */
export interface Quantity {
  /** Ends the row's name; empty for what the bench is about. */
  suffix: string
  unit: string
  of(run: Run): number | null
}

/** @param message what a publish is called: with one reading in each, a reading */
export const rate = (message: string): Quantity => ({ suffix: '', unit: `${message}s/s`, of: (run) => run.rate })
export const readings: Quantity = {
  suffix: 'readings',
  unit: 'readings/s',
  of: (run) => run.rate * run.readingsPerPublish,
}
export const cpu = (message: string): Quantity => ({ suffix: 'cpu', unit: `us/${message}`, of: (run) => run.cpu })
export const resident: Quantity = { suffix: 'rss', unit: 'MB', of: (run) => run.resident }
export const p50: Quantity = { suffix: 'p50', unit: 'ms to ack', of: (run) => run.p50 }
export const p99: Quantity = { suffix: 'p99', unit: 'ms to ack', of: (run) => run.p99 }
export const p999: Quantity = { suffix: 'p999', unit: 'ms to ack', of: (run) => run.p999 }
export const lagP99: Quantity = { suffix: 'lag-p99', unit: 'ms late', of: (run) => run.lag?.p99 ?? null }
export const lagMax: Quantity = { suffix: 'lag-max', unit: 'ms late', of: (run) => run.lag?.max ?? null }

/**
 * One row: a quantity of ours, beside the same of a peer in the same rounds; none where it cannot be known of ours.
 *
 * @param peer null: nobody is there to compare with
 */
export function* row(
  bench: string,
  quantity: Quantity,
  rounds: readonly Round[],
  ours: Pick<Contender, 'id'>,
  peer: Pick<Contender, 'id' | 'label' | 'name'> | null,
): Iterable<Measurement> {
  const value = (round: Round, { id }: Pick<Contender, 'id'>): number | null => {
    const run = round.get(id)
    return run === undefined ? null : quantity.of(run)
  }
  const pairs = rounds.flatMap((round) => {
    const own = value(round, ours)
    return own === null ? [] : [{ ours: own, peer: peer === null ? null : value(round, peer) }]
  })
  if (pairs.length === 0) return
  const name = [bench, peer?.label ?? '', quantity.suffix].filter((part) => part !== '').join('-')
  yield { bench: name, unit: quantity.unit, ...compare(pairs), peerName: peer?.name ?? null }
}
