import { stringify } from 'yaml'
import { apiClient } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { flag, text } from '../option.ts'
import { printable } from '../terminal-text.ts'

export const rulesShow = defineCommand({
  name: 'rules show',
  summary: 'Print a rule set of the running gateway.',
  usage: '[--config FILE | --data DIR] [--set NAME] [--json]',
  description:
    'As YAML, ready to be changed and given back to `tidegate rules put`. Its revision stands in the first line. A set that was never given is empty.',
  options: {
    config: configOption,
    data: dataOption,
    set: text('NAME', 'Which set.', 'main'),
    json: flag('Print it as JSON, without its revision.'),
  },
  examples: [
    { command: 'tidegate rules show > rules.yaml', effect: 'writes the rules to a file' },
    { command: 'tidegate rules show --set file', effect: 'what the gateway has understood of its rules file' },
  ],
  async run(context, { options }) {
    const { set } = options
    const client = await apiClient(options, context)
    const { value, revision } = await client.request<object>({ path: '/rules', query: { set } })
    context.stdout.write(
      options.json
        ? `${JSON.stringify(value)}\n`
        : `# rule set ${printable(set)}, revision ${revision}\n${stringify(value)}`,
    )
    return EXIT.ok
  },
})
