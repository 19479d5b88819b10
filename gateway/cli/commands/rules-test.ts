import { UsageError } from '../../../sync/contract/index.ts'
import { RuleSet } from '../../rules/index.ts'
import type { Recording } from '../backtest/index.ts'
import { centreOf, serverOption } from '../centre.ts'
import { type Context, defineCommand, EXIT } from '../command.ts'
import { configOption } from '../config-file.ts'
import { dataDir, dataOption } from '../data-dir.ts'
import { EventTable } from '../events/index.ts'
import { duration, flag, moment, text, type Values } from '../option.ts'
import { Progress } from '../progress.ts'
import { readRulesFile } from '../rules-file.ts'
import { painter } from '../terminal-text.ts'

const OPTIONS = {
  readings: text('FILE', 'Recorded readings as NDJSON, one a line; - is standard input.'),
  server: serverOption,
  config: configOption,
  outbox: flag('Take the readings that the outbox of the stopped gateway still has.'),
  data: dataOption,
  site: text('SITE', 'Of the centre: only this site.'),
  gateway: text('GATEWAY', 'Of the centre: only this gateway.'),
  since: duration('Of the centre: what was stored this long ago or later; otherwise everything.'),
  from: moment('Only readings that were received at this time or later.'),
  to: moment('Only readings that were received before this time.'),
  until: moment('Let time go on until then behind the last reading; otherwise it stands still there.'),
  json: flag('One JSON object an event on standard output; the summary is one on standard error.'),
}

export const rulesTest = defineCommand({
  name: 'rules test',
  summary: 'Say what a rule set would have raised over recorded readings.',
  usage:
    'FILE (--readings FILE | --server URL | --config FILE | --outbox [--config FILE | --data DIR]) [--site SITE] [--gateway GATEWAY] [--since DURATION] [--from TIME] [--to TIME] [--until TIME] [--json]',
  description:
    'The readings come from a file (as the central stream has them, as `tidegate tail --json` prints them, or made by hand: device, metric, value and time are enough), from the central stream up to what it holds now, or from the outbox of a stopped gateway. They are decided as a gateway decides them, in the time in which they were received, much faster; nothing is stored or sent. Rules begin with no memory, so an alarm that was active before the first reading is raised anew.',
  options: OPTIONS,
  operands: { min: 1, max: 1 },
  examples: [
    { command: 'tidegate rules test rules.yaml --readings monday.ndjson', effect: 'tries new rules on old readings' },
    {
      command: 'tidegate rules test rules.yaml --server nats://127.0.0.1:4222 --site plant-1 --since 24h',
      effect: 'the last day of a site',
    },
    {
      command: 'tidegate rules test rules.yaml --outbox --data /var/lib/tidegate --json | jq .data.message',
      effect: 'what a gateway has kept, for a program',
    },
  ],
  exitCodes: { 1: 'nothing was a reading', 3: 'the rules are not valid, or something cannot be read' },
  async run(context, { options, operands: [file = ''] }) {
    const { stdout, stderr, clock, signal, isTTY, env } = context
    const { input } = await readRulesFile(file, context.stdin)
    const { Rehearsal, speed, summaryLines } = await import('../backtest/index.ts')
    const progress = new Progress(stderr, clock)
    const table = new EventTable(painter(isTTY && !env['NO_COLOR']))
    let begun = false
    const rehearsal = new Rehearsal({
      rules: new RuleSet(input),
      from: options.from ?? null,
      to: options.to ?? null,
      onEvent(event, source) {
        if (options.json) {
          stdout.write(`${JSON.stringify(source === null ? event : { ...event, source })}\n`)
          return
        }
        progress.clear()
        if (!begun) stdout.write(`${table.header()}\n`)
        begun = true
        stdout.write(`${table.line(event)}\n`)
      },
    })
    const began = clock.monotonic()
    const took = (): number => clock.monotonic() - began
    for await (const batch of await recordingOf(options, context)) {
      if (signal.aborted) break
      rehearsal.take(batch)
      progress.show(
        () => `${rehearsal.readings} readings, ${Math.round(rehearsal.span / took())} times faster than real time`,
      )
    }
    if (options.until !== undefined && !signal.aborted) rehearsal.finish(options.until)
    progress.clear()
    const summary = rehearsal.summary()
    if (options.json) {
      const figures = { ...summary, took: Math.round(took()), timesRealTime: speed(summary, took()) }
      stderr.write(`${JSON.stringify({ summary: figures })}\n`)
    } else for (const line of summaryLines(summary, took())) stderr.write(`${line}\n`)
    if (signal.aborted) return EXIT.interrupted
    return rehearsal.nothingRead ? EXIT.failed : EXIT.ok
  },
})

type TestOptions = Values<typeof OPTIONS>

async function recordingOf(options: TestOptions, { env, stdin, stderr, clock, signal }: Context): Promise<Recording> {
  const { readings, server, config, outbox, data, site, gateway, since, from } = options
  const { centralRecording, fileRecording, outboxRecording } = await import('../backtest/index.ts')
  const local = outbox || data !== undefined
  checkSource(options, local)
  if (readings !== undefined) return fileRecording(readings, stdin, signal)
  if (local) return outboxRecording(await dataDir(options, env))
  return centralRecording({
    settings: await centreOf({ config, server }, env, 'tidegate rules test'),
    site,
    gateway,
    // Nothing is stored before it is received.
    since: since === undefined ? (from ?? null) : clock.now() - since,
    clock,
    signal,
    said: (text) => stderr.write(`--- ${text}\n`),
  })
}

/** @throws UsageError `OPTION_INVALID` unless exactly one place is named where the readings come from */
function checkSource({ readings, server, config, site, gateway, since }: TestOptions, local: boolean): void {
  const fail = (message: string): never => {
    throw new UsageError('OPTION_INVALID', message)
  }
  const places = [
    readings !== undefined && '--readings',
    server !== undefined && '--server',
    local && '--outbox',
    config !== undefined && !local && '--config',
  ].filter((place) => place !== false)
  if (places.length === 0)
    fail('expected where the readings come from: --readings FILE, --server URL, --config FILE, or --outbox')
  if (places.length > 1) fail(`${places.join(' and ')} exclude each other: readings come from one place`)
  const central = readings === undefined && !local
  if (!central && [site, gateway, since].some((option) => option !== undefined))
    fail('--site, --gateway and --since choose from the central stream; --from and --to choose from any readings')
}
