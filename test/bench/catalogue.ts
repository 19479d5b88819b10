import { UsageError } from '../../sync/contract/index.ts'
import type { Bench } from './bench.ts'
import { cpu } from './cpu.ts'
import { detection } from './detection.ts'
import { failover, replicated } from './failover.ts'
import { forwardR1, forwardR3 } from './forward.ts'
import { matrix } from './ingest/matrix.ts'
import { ingestQos1 } from './ingest/with-centre.ts'
import { ingestRules } from './ingest/with-rules.ts'
import { memory } from './memory.ts'
import { outage } from './outage.ts'
import { rules } from './rules.ts'
import { wire } from './wire.ts'

/** All benches, in the order in which they run. */
export const BENCHES: readonly Bench[] = [
  ingestQos1,
  ...matrix,
  ingestRules,
  rules,
  detection,
  replicated,
  failover,
  forwardR1,
  forwardR3,
  wire,
  outage,
  memory,
  cpu,
]

/**
 * The benches that were asked for: by name, by the name of one of their rows, or by the beginning of their name; all when none is
 * named.
 *
 * @throws UsageError `BENCH_UNKNOWN`
 */
export function select(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return BENCHES
  for (const name of names) {
    if (BENCHES.some((bench) => belongs(bench, name))) continue
    const known = BENCHES.map((bench) => bench.name).join(', ')
    throw new UsageError('BENCH_UNKNOWN', `--only: expected one of ${known}, got '${name}'`)
  }
  return BENCHES.filter((bench) => names.some((name) => belongs(bench, name)))
}

const belongs = ({ name }: Bench, asked: string): boolean =>
  name === asked || name.startsWith(`${asked}-`) || asked.startsWith(`${name}-`)
