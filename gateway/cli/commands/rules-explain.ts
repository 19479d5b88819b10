import { UsageError } from '../../../sync/contract/index.ts'
import { type ExplainedRule, explained, RuleSet } from '../../rules/index.ts'
import { apiClient } from '../api/index.ts'
import { type Context, defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { flag, pairs, text, type Values } from '../option.ts'
import { readRulesFile } from '../rules-file.ts'
import { printable } from '../terminal-text.ts'

const OPTIONS = {
  rules: text('FILE', 'Ask this rule set instead of the running gateway; - is standard input.'),
  config: configOption,
  data: dataOption,
  label: pairs('A label of the series, where it is not the one that was heard last; may be given several times.'),
  json: flag('Print the rules as one JSON array.'),
}

export const rulesExplain = defineCommand({
  name: 'rules explain',
  summary: 'Say which rules hold for a series, and where each of their values comes from.',
  usage: 'DEVICE METRIC [--rules FILE | --config FILE | --data DIR] [--label NAME=VALUE]... [--json]',
  description:
    'Each value with who gave it: the defaults of the set, the rule, or one of its overrides (counted from 0, with what it looks for); and the values that were given, too, but lost against a more specific match.',
  options: OPTIONS,
  operands: { min: 2, max: 2 },
  examples: [
    { command: 'tidegate rules explain press-4 oil_temperature', effect: 'asks the running gateway' },
    {
      command: 'tidegate rules explain press-4 oil_temperature --rules rules.yaml --label line=3',
      effect: 'asks a file, for a series with that label',
    },
  ],
  exitCodes: { 1: 'no rule holds for the series' },
  async run(context, { options, operands: [device = '', metric = ''] }) {
    const rules = await (options.rules === undefined ? ofGateway : ofFile)(context, options, device, metric)
    const { stdout } = context
    if (options.json) stdout.write(`${JSON.stringify(rules)}\n`)
    else if (rules.length === 0) stdout.write(`no rule holds for ${printable(`${device} ${metric}`)}\n`)
    else stdout.write(`${rules.map((rule) => ruleLines(rule).join('\n')).join('\n\n')}\n`)
    return rules.length === 0 ? EXIT.failed : EXIT.ok
  },
})

type ExplainOptions = Values<typeof OPTIONS>

async function ofFile(
  { stdin }: Context,
  options: ExplainOptions,
  device: string,
  metric: string,
): Promise<ExplainedRule[]> {
  if (options.config !== undefined || options.data !== undefined)
    throw new UsageError(
      'OPTION_INVALID',
      '--rules asks a file, --config and --data a running gateway: give one of them',
    )
  const { input } = await readRulesFile(options.rules ?? '', stdin)
  return new RuleSet(input).select({ device, metric, labels: options.label }).map(explained)
}

async function ofGateway(
  context: Context,
  options: ExplainOptions,
  device: string,
  metric: string,
): Promise<ExplainedRule[]> {
  const labels = Object.keys(options.label).length > 0 ? JSON.stringify(options.label) : undefined
  const client = await apiClient(options, context)
  const query = { device, metric, labels }
  return (await client.request<ExplainedRule[]>({ path: '/rules/explain', query })).value
}

/** What stands in the heading, or is said in another way. */
const ELSEWHERE = new Set(['id', 'revision', 'from', 'overrides', 'lost'])

function ruleLines(rule: ExplainedRule): string[] {
  const { id, revision, from, overrides, lost, enabled } = rule
  const matches = new Map(overrides.map(({ name, match }) => [name, JSON.stringify(match)]))
  const said = (source: string): string => (matches.has(source) ? `${source} ${matches.get(source)}` : source)
  const values = Object.entries(rule).filter(([key]) => !ELSEWHERE.has(key))
  const kind = rule.condition.kind
  const rows = values.map(([key, value]): [string, string, string] => {
    // The condition is given under the name of its kind.
    const source = from[key === 'condition' ? kind : key]
    return [key === 'condition' ? kind : key, shown(key, value), source === undefined ? 'usual value' : said(source)]
  })
  const width = Math.max(...rows.map(([key]) => key.length))
  const wide = Math.max(...rows.map(([, value]) => value.length))
  return [
    `${id}${enabled ? '' : ' (not enabled)'}, revision ${revision}`,
    ...rows.map(([key, value, source]) => `  ${key.padEnd(width)}  ${value.padEnd(wide)}  ${source}`),
    ...lost.map(
      ({ key, value, from: loser, to }) => `  lost: ${key} ${JSON.stringify(value)} of ${said(loser)}, to ${to}`,
    ),
  ].map(printable)
}

const DURATIONS = new Set(['for', 'clearFor', 'reraiseAfter'])

function shown(key: string, value: unknown): string {
  if (DURATIONS.has(key)) return `${value} ms`
  if (key !== 'condition') return JSON.stringify(value)
  const { kind: _, ...condition } = value as { kind: string }
  return JSON.stringify(condition)
}
