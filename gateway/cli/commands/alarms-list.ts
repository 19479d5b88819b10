import type { AlarmInfo } from '../../alarms/index.ts'
import { apiClient } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { severityStyle, urgency } from '../events/index.ts'
import { flag, text } from '../option.ts'
import { type Cell, localTime, painter, tableLines } from '../terminal-text.ts'

export const alarmsList = defineCommand({
  name: 'alarms list',
  summary: 'List the alarms of the running gateway, the most urgent first.',
  usage: '[--config FILE | --data DIR] [--all] [--device PATTERN] [--rule PATTERN] [--json]',
  description: 'Without --all only those that are not normal. TIME is that of the last reading that was looked at.',
  options: {
    config: configOption,
    data: dataOption,
    all: flag('Also those that are normal.'),
    device: text('PATTERN', 'Only of these devices; * stands for any characters.'),
    rule: text('PATTERN', 'Only alarms of these names.'),
    json: flag('Print them as one JSON array.'),
  },
  examples: [
    { command: 'tidegate alarms list', effect: 'what is going on' },
    { command: "tidegate alarms list --device 'press-*' --json | jq length", effect: 'how many of the presses' },
  ],
  async run(context, { options }) {
    const { all, device, rule } = options
    const client = await apiClient(options, context)
    const query = { device, rule, state: all ? 'all' : undefined }
    const { value } = await client.request<AlarmInfo[]>({ path: '/alarms', query })
    const { stdout, isTTY, env } = context
    if (options.json) stdout.write(`${JSON.stringify(value)}\n`)
    else if (value.length === 0) stdout.write(all ? 'no alarms\n' : 'no alarms: everything is normal\n')
    else
      stdout.write(
        `${tableLines(TITLES, [...value].sort(byUrgency).map(row), painter(isTTY && !env['NO_COLOR'])).join('\n')}\n`,
      )
    return EXIT.ok
  },
})

const TITLES = ['SEVERITY', 'STATE', 'DEVICE', 'ALARM', 'TIME', 'MESSAGE']

/** Those that somebody has to look at first, then by severity; else in the order in which they came. */
function byUrgency(one: AlarmInfo, other: AlarmInfo): number {
  const seen = ({ state }: AlarmInfo): number => (state === 'unacknowledged' ? 0 : state === 'normal' ? 2 : 1)
  return seen(one) - seen(other) || urgency(one.severity) - urgency(other.severity)
}

function row({ severity, state, device, rule, time, message, shelvedUntil }: AlarmInfo): Cell[] {
  const until = shelvedUntil === null ? '' : ` until ${localTime(shelvedUntil).slice(0, 16)}`
  const quiet = state === 'normal' ? { style: 'dim' as const } : {}
  return [
    { text: severity, style: state === 'normal' ? 'dim' : severityStyle(severity) },
    { text: `${state}${until}`, ...(state === 'unacknowledged' ? { style: 'bold' as const } : quiet) },
    { text: device },
    { text: rule },
    { text: localTime(time), style: 'dim' },
    { text: message, ...quiet },
  ]
}
