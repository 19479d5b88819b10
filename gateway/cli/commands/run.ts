import { describeError } from '../../../sync/contract/index.ts'
import { pause } from '../../../sync/runtime/index.ts'
import { startGateway } from '../../main.ts'
import { defineCommand, EXIT } from '../command.ts'
import { configOption, readConfig } from '../config-file.ts'
import { duration, flag } from '../option.ts'

export const run = defineCommand({
  name: 'run',
  summary: 'Run a gateway until it is stopped.',
  usage: '[--config FILE] [--json] [--every DURATION]',
  description:
    'Log lines go to standard error as JSON. Ctrl-C or SIGTERM stops cleanly: what is under way is answered, the rest is kept.',
  options: {
    config: configOption,
    json: flag('Print the status as one JSON object a line on standard output, first when the gateway is ready.'),
    every: duration('How often to print the status.', '1s'),
  },
  examples: [
    { command: 'tidegate run --config /etc/tidegate/tidegate.yaml', effect: 'runs as a service does' },
    { command: 'tidegate run --json | jq .outbox.lanes.readings.pending', effect: 'watches the backlog' },
  ],
  exitCodes: { 4: '`tidegate handover --stop` ended it: it is not to be started again by itself' },
  async run({ stdout, env, signal, clock }, { options }) {
    const gateway = await startGateway(await readConfig(options.config, env))
    const over = AbortSignal.any([signal, gateway.handedOver])
    const keepAlive = setInterval(() => {}, 60_000)
    try {
      while (!over.aborted) {
        if (options.json) {
          const status = await gateway.status().catch((error: unknown) => ({ error: describeError(error) }))
          stdout.write(`${JSON.stringify(status)}\n`)
        }
        await pause(clock, options.json ? options.every : 3_600_000, over)
      }
    } finally {
      clearInterval(keepAlive)
      await gateway.stop()
    }
    return gateway.handedOver.aborted ? EXIT.handedOver : EXIT.ok
  },
})
