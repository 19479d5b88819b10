import type { Clock } from '../../sync/runtime/index.ts'
import type { Environment } from '../config/index.ts'
import type { Options, Values } from './option.ts'

/** What every exit code of `tidegate` means, for scripts and service managers. */
export const EXIT = {
  ok: 0,
  /** The command ran and failed, or found what it was looking for (`verify`: something lost). */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Only a person can mend it (configuration, damage, a second process): starting again will not help. */
  operator: 3,
  /** `tidegate run` has handed over to its peers, and was asked to end then: not to be started again by itself. */
  handedOver: 4,
  /** Stopped by Ctrl-C or SIGTERM before it was done. */
  interrupted: 130,
} as const

/** Where a command writes text. `process.stdout` is one. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Everything that a command may touch of the process it runs in. */
export interface Context {
  readonly stdin: NodeJS.ReadStream
  /** For results: what a program would read. */
  readonly stdout: Output
  /** For people: progress, hints, errors. */
  readonly stderr: Output
  /** Whether a person is looking at `stdout`. */
  readonly isTTY: boolean
  readonly env: Environment
  readonly clock: Clock
  /** Aborts at the first Ctrl-C, SIGTERM or SIGHUP: finish cleanly. A second one ends the process at once. */
  readonly signal: AbortSignal
}

export interface Example {
  /** The command line, as typed. */
  command: string
  /** What it does. */
  effect: string
}

/** One command: one exported object, one file. */
export interface Command<O extends Options = Options> {
  /** The words that call it: `run`, `config check`. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What follows the name: `[--config FILE] [--json]`. */
  readonly usage: string
  /** More than the summary says, if there is more. */
  readonly description?: string
  readonly options: O
  /** How many words it takes beside its options; none unless said. */
  readonly operands?: { readonly min: number; readonly max: number }
  readonly examples: readonly Example[]
  /** What its exit codes mean, where it is more than `EXIT` says. */
  readonly exitCodes?: Readonly<Record<number, string>>
  /** @returns the exit code; rejects with a `TidegateError` to have it printed */
  run(context: Context, args: Arguments<O>): Promise<number>
}

/** A command line, read and checked. */
export interface Arguments<O extends Options> {
  readonly options: Values<O>
  readonly operands: readonly string[]
}

/** Lets the compiler infer the options, so that `run` gets their exact types. */
export const defineCommand = <const O extends Options>(command: Command<O>): Command<O> => command
