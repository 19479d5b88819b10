import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { text as allOf } from 'node:stream/consumers'
import { OperatorError } from '../../sync/contract/index.ts'
import { type RuleSetInput, readRules } from '../rules/index.ts'

/**
 * A rule set from its file; `-` is standard input.
 *
 * @throws OperatorError `RULES_UNREADABLE`; RulesError `RULES_INVALID` with everything that is wrong
 */
export async function readRulesFile(
  file: string,
  stdin: NodeJS.ReadableStream,
): Promise<{ given: unknown; input: RuleSetInput }> {
  if (file === '-') return readRules(await allOf(stdin), 'standard input')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new OperatorError(
      'RULES_UNREADABLE',
      `cannot read ${file} (${(cause as NodeJS.ErrnoException).code}); expected a rule set as YAML or JSON`,
      { cause },
    )
  }
  return readRules(text, basename(file))
}
