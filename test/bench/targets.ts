import type { Measurement } from './bench.ts'

/** What a row has to reach: its own number, or its ratio to the peer. */
export interface Target {
  of: 'ours' | 'ratio'
  atLeast?: number
  atMost?: number
}

/** Everything that is promised about speed and memory. Rows that are not here are for information. */
export const TARGETS: Readonly<Record<string, Target>> = {
  'ingest-qos1': { of: 'ratio', atLeast: 0.8 },
  'ingest-100x20': { of: 'ratio', atLeast: 2.5 },
  'ingest-100x20-always': { of: 'ratio', atLeast: 25 },
  'ingest-100x20-cpu': { of: 'ours', atMost: 5 },
  'ingest-1000x1': { of: 'ratio', atLeast: 1 },
  'ingest-steady-p99': { of: 'ours', atMost: 10 },
  'ingest-rules': { of: 'ratio', atLeast: 0.8 },
  'rules-apply': { of: 'ours', atLeast: 2_000_000 },
  'rules-ingest': { of: 'ratio', atLeast: 0.8 },
  'replicated-rate': { of: 'ratio', atLeast: 0.65 },
  'replicated-p99': { of: 'ours', atMost: 15 },
  // takeoverAfter of a site in a box is two seconds.
  'failover-last': { of: 'ours', atMost: 3000 },
  'forward-r1': { of: 'ratio', atLeast: 20 },
  'forward-r1-packs': { of: 'ratio', atLeast: 0.6 },
  'forward-r3': { of: 'ratio', atLeast: 20 },
  'forward-r3-packs': { of: 'ratio', atLeast: 0.6 },
  'outage-first': { of: 'ours', atMost: 1000 },
  'outage-lost': { of: 'ours', atMost: 0 },
  'outage-doubled': { of: 'ours', atMost: 0 },
  'memory-empty': { of: 'ours', atMost: 150 },
  'memory-backlog': { of: 'ours', atMost: 150 },
  'memory-full': { of: 'ours', atMost: 150 },
  'memory-growth': { of: 'ours', atMost: 30 },
  'memory-start': { of: 'ours', atMost: 1000 },
}

/** Whether the row gets there; null when it has no target, or the peer it needs is not there. */
export function met(target: Target | undefined, { ours }: Measurement, ratio: number | null): boolean | null {
  if (!target) return null
  const value = target.of === 'ours' ? ours : ratio
  if (value === null || Number.isNaN(value)) return null
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = target
  return value >= atLeast && value <= atMost
}

/** `>= 0.8x`, `<= 150`; null without a target. */
export function targetText(target: Target | undefined): string | null {
  if (!target) return null
  const unit = target.of === 'ratio' ? 'x' : ''
  return target.atLeast === undefined ? `<= ${target.atMost}${unit}` : `>= ${target.atLeast}${unit}`
}
