import { writeFile } from 'node:fs/promises'
import { type Command, defineCommand, EXIT } from './command.ts'
import { text } from './option.ts'

interface Generated {
  name: string
  summary: string
  examples: Command['examples']
  make(): string
}

/** A command that prints a text made from the program itself, or writes it to a file. */
export const generatedTextCommand = ({ name, summary, examples, make }: Generated) =>
  defineCommand({
    name,
    summary,
    usage: '[--out FILE]',
    options: { out: text('FILE', 'Write to this file instead of standard output.') },
    examples,
    async run({ stdout }, { options }) {
      if (options.out === undefined) stdout.write(make())
      else await writeFile(options.out, make())
      return EXIT.ok
    },
  })
