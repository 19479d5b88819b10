import { apiClient, followEvents } from '../api/index.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataOption } from '../data-dir.ts'
import { EventTable } from '../events/index.ts'
import { flag, text } from '../option.ts'
import { painter, printable } from '../terminal-text.ts'

export const alarmsWatch = defineCommand({
  name: 'alarms watch',
  summary: 'Show what happens to the alarms of the running gateway, live.',
  usage: '[--config FILE | --data DIR] [--device PATTERN] [--rule PATTERN] [--json]',
  description:
    'Ctrl-C ends it. After a lost connection, or a restart of the gateway, it goes on behind the last event; what is missing then is marked with ---.',
  options: {
    config: configOption,
    data: dataOption,
    device: text('PATTERN', 'Only of these devices; * stands for any characters.'),
    rule: text('PATTERN', 'Only alarms of these names.'),
    json: flag('One JSON object an event; what is not an event goes to standard error.'),
  },
  examples: [
    { command: 'tidegate alarms watch', effect: 'shows events as they happen' },
    { command: "tidegate alarms watch --device 'press-*' --json | jq .data.message", effect: 'for a program' },
  ],
  exitCodes: { 3: 'no gateway runs there' },
  async run(context, { options }) {
    const { stdout, stderr, clock, signal, isTTY, env } = context
    const { device, rule, json } = options
    const paint = painter(isTTY && !env['NO_COLOR'])
    const table = new EventTable(paint)
    const client = await apiClient(options, context)
    // While it waits to try again nothing else keeps the process alive.
    const alive = setInterval(() => {}, 60_000)
    if (isTTY && !json) stdout.write(`${table.header()}\n`)
    try {
      await followEvents({
        client,
        query: { device, rule },
        clock,
        signal,
        onEvent: (event) => stdout.write(`${json ? JSON.stringify(event) : table.line(event)}\n`),
        onMark(text) {
          if (json) stderr.write(`${JSON.stringify({ mark: text })}\n`)
          else stdout.write(`${paint('yellow', `--- ${printable(text)}`)}\n`)
        },
      })
    } finally {
      clearInterval(alive)
    }
    return EXIT.ok
  },
})
