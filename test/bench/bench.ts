import type { Scope } from './scope.ts'

/** One number of ours beside the same number of somebody else. */
export interface Measurement {
  /** Name of the row; its target is found by it. */
  bench: string
  unit: string
  ours: number
  /** Null when nobody is compared with, or the peer is not installed. */
  peer: number | null
  /** Who, and how it was set up; null when nobody is compared with. */
  peerName: string | null
  /**
   * Ours divided by the peer's. The median over rounds in which both ran one after the other, where there were several:
   * on a busy machine it says more than the two medians. Made from the two numbers unless given.
   */
  ratio?: number | null
}

/** What a bench is run with. */
export interface BenchOptions {
  /** A few minutes for all of them together instead of as exact as it gets. */
  quick: boolean
  /** Path of the gateway's compiled command line. */
  entry: string
  /** Whatever the bench starts or creates is undone at its end, or at Ctrl-C. */
  scope: Scope
  signal: AbortSignal
  /** Folder that profiles are to be left in; null: they are not kept. */
  flame: string | null
  /** Tells people what is going on, and what a row has no column for. */
  say(line: string): void
}

/** Several rows that come out of one experiment. */
export interface Bench {
  /** Row names begin with it. */
  name: string
  summary: string
  run(options: BenchOptions): AsyncIterable<Measurement>
}
