import { COMMON, optionName } from './arguments.ts'
import { type Command, EXIT } from './command.ts'

const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'the command line is wrong',
  [EXIT.operator]: 'a person must mend something first (configuration, damage, a second process)',
  [EXIT.interrupted]: 'interrupted before it was done',
}

/** The list of commands: of all, or of a group such as `config`. */
export function overview(commands: readonly Command[], group?: string): string {
  const prefix = group === undefined ? 'tidegate' : `tidegate ${group}`
  return [
    `Usage: ${prefix} COMMAND [options]`,
    ...(group === undefined
      ? [
          '',
          'Edge gateway: readings over MQTT are durable before they are acknowledged, and reach NATS JetStream exactly once.',
        ]
      : []),
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    `\`tidegate COMMAND --help\` explains one; \`tidegate --version\` says which version this is.`,
    '',
  ].join('\n')
}

/** Everything about one command. */
export function commandHelp(command: Command): string {
  const { name, summary, usage, description, examples, exitCodes } = command
  const options = Object.entries({ ...command.options, ...COMMON }).map(([key, option]): [string, string] => {
    const value = option.placeholder === null ? '' : ` ${option.placeholder}`
    return [`${optionName(key)}${value}`, option.description + (option.shown === null ? '' : ` [${option.shown}]`)]
  })
  return [
    `Usage: tidegate ${name} ${usage}`.trimEnd(),
    '',
    summary,
    ...(description === undefined ? [] : ['', description]),
    '',
    'Options:',
    ...columns(options),
    '',
    'Examples:',
    ...examples.flatMap((example) => [`  ${example.command}`, `      ${example.effect}`]),
    '',
    'Exit codes:',
    ...columns(Object.entries({ ...EXIT_MEANINGS, ...exitCodes })),
    '',
  ].join('\n')
}

function columns(rows: ReadonlyArray<readonly [string, string]>): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
