import { apiClient } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { flag } from '../option.ts'
import { localTime, painter, tableLines } from '../terminal-text.ts'

interface SetInfo {
  set: string
  revision: string
  rules: number
  since: number
}

export const rulesSets = defineCommand({
  name: 'rules sets',
  summary: 'List the rule sets of the running gateway.',
  usage: '[--config FILE | --data DIR] [--json]',
  description:
    'All of them hold at once. `file` follows the file in the configuration, `main` is the usual one for `tidegate rules put`.',
  options: { config: configOption, data: dataOption, json: flag('Print them as one JSON array.') },
  examples: [{ command: 'tidegate rules sets', effect: 'names, revisions, and since when they hold' }],
  async run(context, { options }) {
    const client = await apiClient(options, context)
    const { value } = await client.request<SetInfo[]>({ path: '/rules/sets' })
    const { stdout, isTTY, env } = context
    if (options.json) stdout.write(`${JSON.stringify(value)}\n`)
    else if (value.length === 0) stdout.write('no rule set was given yet\n')
    else {
      const rows = value.map(({ set, revision, rules, since }) =>
        [set, revision, String(rules), localTime(since)].map((text) => ({ text })),
      )
      const lines = tableLines(['SET', 'REVISION', 'RULES', 'SINCE'], rows, painter(isTTY && !env['NO_COLOR']))
      stdout.write(`${lines.join('\n')}\n`)
    }
    return EXIT.ok
  },
})
