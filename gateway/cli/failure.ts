import { OperatorError, TidegateError, UsageError } from '../../sync/contract/index.ts'
import { type Context, EXIT } from './command.ts'

export interface FailureStyle {
  /** Show causes and stack traces. */
  verbose: boolean
  /** One JSON object on standard error instead of text. */
  json: boolean
}

/** The exit code that an error asks for. */
export function exitCodeOf(error: unknown, signal: AbortSignal): number {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof OperatorError) return EXIT.operator
  return signal.aborted && error instanceof Error && error.name === 'AbortError' ? EXIT.interrupted : EXIT.failed
}

/** Says on standard error what went wrong. */
export function reportFailure(
  { stderr, signal }: Pick<Context, 'stderr' | 'signal'>,
  error: unknown,
  style: FailureStyle,
) {
  if (exitCodeOf(error, signal) === EXIT.interrupted) return
  const chain = [...causes(error)]
  if (style.json) {
    const [first, ...rest] = chain.map((link) => ({ code: codeOf(link), message: messageOf(link) }))
    stderr.write(`${JSON.stringify({ error: { ...first, causes: rest } })}\n`)
    return
  }
  stderr.write(`error ${codeOf(error)}: ${messageOf(error)}\n`)
  if (style.verbose) for (const link of chain) stderr.write(`${stackOf(link)}\n`)
  else if (!(error instanceof TidegateError))
    stderr.write('This was not expected to happen. --verbose shows where it came from.\n')
  else if (chain.length > 1) stderr.write('--verbose shows what caused it.\n')
}

function* causes(error: unknown): Generator<unknown> {
  for (let link = error; link !== undefined && link !== null; link = link instanceof Error ? link.cause : undefined)
    yield link
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNEXPECTED'
}
