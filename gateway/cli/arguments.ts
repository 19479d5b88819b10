import { parseArgs } from 'node:util'
import { UsageError } from '../../sync/contract/index.ts'
import { nearest } from '../config/index.ts'
import type { Arguments, Command } from './command.ts'
import { flag, type Option, type Options } from './option.ts'

/** Options that every command has. */
export const COMMON = {
  help: flag('Show this help.'),
  verbose: flag('Show the causes of an error, with stack traces.'),
} satisfies Options

/** `maxBytes` as it is typed: `--max-bytes`. */
export const optionName = (key: string): string => `--${key.replaceAll(/([A-Z])/g, '-$1').toLowerCase()}`

/**
 * Reads what follows the name of a command.
 *
 * @throws UsageError `OPTION_UNKNOWN`, `OPTION_INVALID`, `OPERAND_UNEXPECTED`, `OPERAND_MISSING`
 */
export function readArguments<O extends Options>(command: Command<O>, args: readonly string[]): Arguments<O> {
  const options: Options = { ...command.options, ...COMMON }
  const known = new Map(Object.entries(options).map(([key, option]) => [optionName(key), { key, option }]))
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      ...Object.fromEntries([...known].map(([name, { option }]) => [name.slice(2), parserOption(option)])),
      help: { type: 'boolean', short: 'h' },
    },
  })
  const values = Object.fromEntries(Object.entries(options).map(([key, { initial }]) => [key, initial]))
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value)
    if (token.kind !== 'option') continue
    const found = known.get(`--${token.name}`)
    if (found === undefined) throw unknownOption(command.name, token.rawName, known.keys())
    values[found.key] = readOption(found.option, token, values[found.key])
  }
  checkOperands(command, operands)
  return { options: values as Arguments<O>['options'], operands }
}

const parserOption = ({ placeholder }: Option<unknown>) =>
  placeholder === null ? ({ type: 'boolean' } as const) : ({ type: 'string' } as const)

interface OptionToken {
  rawName: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

function readOption(
  option: Option<unknown>,
  { rawName: name, value, inlineValue: inline = false }: OptionToken,
  before: unknown,
): unknown {
  if (option.placeholder === null) {
    if (value !== undefined) throw new UsageError('OPTION_INVALID', `${name} takes no value, got '${value}'`)
    return true
  }
  // `--config --json` is a forgotten value, not a file called --json; negative numbers are values.
  if (value === undefined || (!inline && /^-\D/.test(value))) {
    throw new UsageError('OPTION_INVALID', `${name} needs a value: ${name} ${option.placeholder}`)
  }
  return option.read(value, name, before)
}

function unknownOption(command: string, name: string, known: Iterable<string>): UsageError {
  const suggestion = nearest(name, known)
  const hint = suggestion === null ? `\`tidegate ${command} --help\` lists its options` : `did you mean ${suggestion}?`
  return new UsageError('OPTION_UNKNOWN', `${name} is not an option of \`tidegate ${command}\`; ${hint}`)
}

function checkOperands(command: Pick<Command, 'name' | 'usage' | 'operands'>, operands: readonly string[]): void {
  const { min, max } = command.operands ?? { min: 0, max: 0 }
  const usage = `\`tidegate ${command.name} ${command.usage}\``
  const surplus = operands[max]
  if (surplus !== undefined) throw new UsageError('OPERAND_UNEXPECTED', `did not expect '${surplus}'; usage: ${usage}`)
  if (operands.length < min) throw new UsageError('OPERAND_MISSING', `something is missing; usage: ${usage}`)
}
