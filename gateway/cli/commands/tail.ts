import { LANES } from '../../../sync/contract/index.ts'
import { centralSubject, centreOf, serverOption } from '../centre.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { choice, duration, flag, integer, text, type Values } from '../option.ts'
import type { Printer } from '../tail/printer.ts'
import type { Row } from '../tail/rows.ts'

const OPTIONS = {
  config: configOption,
  server: serverOption,
  stream: choice('STREAM', 'What to show', ['readings', 'events', 'deadletters', 'all'], 'readings'),
  site: text('SITE', 'Only this site.'),
  gateway: text('GATEWAY', 'Only this gateway.'),
  device: text('DEVICE', 'Only this device.'),
  metric: text('METRIC', 'Only this metric (of an event: this rule).'),
  since: duration('Begin with what was stored this long ago; otherwise with what comes from now on.'),
  limit: integer('End after this many records.', 1),
  json: flag('One JSON object a record; what is not a record goes to standard error.'),
}

export const tail = defineCommand({
  name: 'tail',
  summary: 'Show what arrives in the central stream, live.',
  usage:
    '[--config FILE | --server URL] [--stream STREAM] [--site SITE] [--gateway GATEWAY] [--device DEVICE] [--metric METRIC] [--since DURATION] [--limit N] [--json]',
  description:
    'Looks on without acknowledging anything, so it disturbs nobody. Holes, repeats and new numberings of a gateway are marked with ---. A lost connection is dialled again, and nothing is left out.',
  options: OPTIONS,
  examples: [
    { command: 'tidegate tail --config plant.yaml', effect: 'shows readings as they arrive' },
    {
      command: 'tidegate tail --server nats://127.0.0.1:4222 --stream all --since 1h',
      effect: 'the last hour of everything',
    },
    {
      command: 'tidegate tail --device press-4 --metric oil_temperature --json | jq .value',
      effect: 'one series, for a program',
    },
  ],
  async run({ stdout, stderr, env, clock, signal, isTTY }, { options }) {
    const { json, site, gateway, stream, since, limit = Number.POSITIVE_INFINITY } = options
    const { follow, Inspector, jsonPrinter, tablePrinter } = await import('../tail/index.ts')
    const settings = await centreOf(options, env, 'tidegate tail')
    const printer = json ? jsonPrinter(stdout, stderr) : tablePrinter(stdout, isTTY && !env['NO_COLOR'])
    const enough = new AbortController()
    const ended = AbortSignal.any([signal, enough.signal])
    let shown = 0
    const counting: Printer = {
      mark: printer.mark,
      row(row) {
        printer.row(row)
        if (++shown >= limit) enough.abort()
      },
    }
    const inspector = new Inspector(counting, wanted(options))
    const failures: unknown[] = []
    const fail = (error: unknown): void => {
      failures.push(error)
      enough.abort()
    }
    const alive = setInterval(() => {}, 60_000)
    try {
      await follow({
        settings,
        sources: LANES.filter((lane) => stream === 'all' || stream === lane).map((lane) => ({
          lane,
          subject: centralSubject(lane, site, gateway),
        })),
        since: since === undefined ? null : clock.now() - since,
        signal: ended,
        clock,
        onMessage: (lane, message) => inspector.show(lane, message, () => !ended.aborted).catch(fail),
        onInterruption: ({ kind, text }) => printer.mark(kind, text),
      })
    } finally {
      clearInterval(alive)
    }
    if (failures.length > 0) throw failures[0]
    return EXIT.ok
  },
})

type TailOptions = Values<typeof OPTIONS>

function wanted({
  device,
  metric,
  gateway,
}: Pick<TailOptions, 'device' | 'metric' | 'gateway'>): (row: Row) => boolean {
  return (row) =>
    (device === undefined || row.device === device) &&
    (metric === undefined || row.metric === metric) &&
    // The subject of an event does not say which gateway decided it.
    (gateway === undefined || row.full['gateway'] === gateway)
}
