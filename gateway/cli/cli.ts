import { UsageError } from '../../sync/contract/index.ts'
import { nearest } from '../config/index.ts'
import { readArguments } from './arguments.ts'
import { type Command, type Context, EXIT } from './command.ts'
import { exitCodeOf, reportFailure } from './failure.ts'
import { commandHelp, overview } from './help.ts'

/** What the words of a command line call. */
type Call =
  | { kind: 'command'; command: Command; rest: readonly string[] }
  | { kind: 'group'; name: string; members: readonly Command[]; rest: readonly string[] }
  | { kind: 'unknown'; word: string | undefined }

/**
 * Runs one command line, from words to exit code. Never rejects: errors are printed and become exit codes (see `EXIT`).
 *
 * @param version what `--version` says
 */
export async function runCommandLine(
  commands: readonly Command[],
  args: readonly string[],
  context: Context,
  version: string,
): Promise<number> {
  const style = { verbose: args.includes('--verbose'), json: args.includes('--json') }
  try {
    const [first] = args
    if (first === undefined) {
      context.stderr.write(overview(commands))
      return EXIT.usage
    }
    if (first === '--version') {
      context.stdout.write(`tidegate ${version}\n`)
      return EXIT.ok
    }
    if (first === 'help' || wantsHelp(first)) return await showHelp(commands, args.slice(1), context)
    return await runCall(commands, findCall(commands, args), context)
  } catch (error) {
    reportFailure(context, error, style)
    return exitCodeOf(error, context.signal)
  }
}

async function runCall(commands: readonly Command[], call: Call, context: Context): Promise<number> {
  if (call.kind === 'unknown') throw unknownCommand(call.word, commands)
  if (call.rest.some(wantsHelp)) {
    context.stdout.write(call.kind === 'command' ? commandHelp(call.command) : overview(call.members, call.name))
    return EXIT.ok
  }
  if (call.kind === 'group') {
    const [word] = call.rest
    if (word !== undefined) throw unknownCommand(`${call.name} ${word}`, call.members)
    context.stderr.write(overview(call.members, call.name))
    return EXIT.usage
  }
  return await call.command.run(context, readArguments(call.command, call.rest))
}

async function showHelp(commands: readonly Command[], words: readonly string[], context: Context): Promise<number> {
  if (words.length > 0) return await runCall(commands, findCall(commands, [...words, '--help']), context)
  context.stdout.write(overview(commands))
  return EXIT.ok
}

const wantsHelp = (word: string): boolean => word === '--help' || word === '-h'

/** The command with the longest name that the words begin with, else the group of that name. */
function findCall(commands: readonly Command[], args: readonly string[]): Call {
  const begins = ({ name }: Command): boolean => name.split(' ').every((word, i) => args[i] === word)
  const [command] = commands.filter(begins).sort((a, b) => b.name.length - a.name.length)
  if (command !== undefined) return { kind: 'command', command, rest: args.slice(command.name.split(' ').length) }
  const [word] = args
  const members = commands.filter(({ name }) => name.startsWith(`${word} `))
  if (word !== undefined && members.length > 0) return { kind: 'group', name: word, members, rest: args.slice(1) }
  return { kind: 'unknown', word }
}

function unknownCommand(words: string | undefined, commands: readonly Command[]): UsageError {
  const names = commands.flatMap(({ name }) => [name, name.split(' ')[0] ?? name])
  const suggestion = nearest(words ?? '', names)
  const hint = suggestion === null ? '`tidegate help` lists them' : `did you mean \`tidegate ${suggestion}\`?`
  return new UsageError('COMMAND_UNKNOWN', `there is no command \`tidegate ${words}\`; ${hint}`)
}
