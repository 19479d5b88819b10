import { basename } from 'node:path'
import { RulesError, ruleSetRevision } from '../../rules/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { flag } from '../option.ts'
import { readRulesFile } from '../rules-file.ts'

export const rulesCheck = defineCommand({
  name: 'rules check',
  summary: 'Check a rule set and say everything that is wrong with it.',
  usage: 'FILE [--json]',
  description: 'Reads it exactly as a gateway would. Nothing is connected to, nothing is written.',
  options: { json: flag('Print whether it is valid, and all problems with their lines, as one JSON object.') },
  operands: { min: 1, max: 1 },
  examples: [
    { command: 'tidegate rules check rules.yaml', effect: 'says that it is valid, or every problem with its line' },
  ],
  exitCodes: { 0: 'the rule set is valid', 3: 'it is not, or cannot be read' },
  async run({ stdin, stdout }, { options, operands: [file = ''] }) {
    try {
      const { input } = await readRulesFile(file, stdin)
      const size = input.rules.length
      const rules = size === 1 ? 'one rule' : `${size} rules`
      stdout.write(
        options.json
          ? `${JSON.stringify({ valid: true, rules: size, revision: ruleSetRevision(input), problems: [] })}\n`
          : `${file === '-' ? 'standard input' : basename(file)} is valid: ${rules}\n`,
      )
      return EXIT.ok
    } catch (error) {
      if (!options.json || !(error instanceof RulesError)) throw error
      stdout.write(`${JSON.stringify({ valid: false, problems: error.problems })}\n`)
      return EXIT.operator
    }
  },
})
