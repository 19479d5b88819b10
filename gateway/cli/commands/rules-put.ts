import { apiClient } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { flag, text } from '../option.ts'
import { readRulesFile } from '../rules-file.ts'

export const rulesPut = defineCommand({
  name: 'rules put',
  summary: 'Give the running gateway a rule set, in place of the one of that name.',
  usage: 'FILE [--config FILE | --data DIR] [--set NAME] [--if REVISION] [--json]',
  description:
    'All of it or nothing: the rules hold, and are on disk, when this ends. Alarms whose rule did not change go on as they are; those whose rule is gone are removed. A set without rules (`rules: []`) takes all of them away. FILE is YAML or JSON; - is standard input.',
  options: {
    config: configOption,
    data: dataOption,
    set: text('NAME', 'Which set.', 'main'),
    if: text('REVISION', 'Only if the set still has this revision: nobody changed it meanwhile.'),
    json: flag('Print the revision as JSON.'),
  },
  operands: { min: 1, max: 1 },
  examples: [
    { command: 'tidegate rules put rules.yaml', effect: 'the rules of the file hold from now on' },
    {
      command: 'tidegate rules put rules.yaml --if 3f2a9c41d07be865',
      effect: 'unless somebody else changed them since they were shown',
    },
  ],
  exitCodes: {
    1: 'the gateway refused it (`RULES_CHANGED_MEANWHILE`)',
    3: 'the rules are not valid, or no gateway runs',
  },
  async run(context, { options, operands: [file = ''] }) {
    // Looked at here first: only whoever has the text knows the lines.
    const { given } = await readRulesFile(file, context.stdin)
    const client = await apiClient(options, context)
    const { value } = await client.request<{ revision: string; changed: boolean }>({
      method: 'PUT',
      path: '/rules',
      query: { set: options.set },
      body: given,
      headers: options.if === undefined ? {} : { 'if-match': `"${options.if}"` },
    })
    const { revision, changed } = value
    context.stdout.write(
      options.json
        ? `${JSON.stringify({ set: options.set, revision, changed })}\n`
        : `rule set ${options.set} ${changed ? 'is now' : 'was already'} at revision ${revision}\n`,
    )
    return EXIT.ok
  },
})
