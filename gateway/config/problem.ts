import { OperatorError } from '../../sync/contract/index.ts'

/** One thing that is wrong with a document. */
export interface Problem {
  /** The file, or the environment. */
  where: string
  /** First line is 1; absent when the problem is not at one place (a missing key, a variable). */
  line?: number
  /** The key (`central.retry.min`, `mqtt.listeners[0].port`) or the variable; empty when it is the file itself. */
  path: string
  /** What was expected, and what came. */
  message: string
}

/** The configuration cannot be used as it is. `problems` holds everything that is wrong, the message all of it as lines. */
export class ConfigError extends OperatorError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('CONFIG_INVALID', `the configuration has ${listed(problems)}`)
    this.problems = problems
  }
}

/** How many problems there are, then one a line. */
export function listed(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return `${count}:\n${problems.map((problem) => `  ${line(problem)}`).join('\n')}`
}

function line({ where, line, path, message }: Problem): string {
  const place = line === undefined ? where : `${where}:${line}`
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`
}

/** `['mqtt', 'listeners', 0, 'port']` as `mqtt.listeners[0].port`. */
export function pathName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return `${name}[${key}]`
    return name === '' ? String(key) : `${name}.${String(key)}`
  }, '')
}
