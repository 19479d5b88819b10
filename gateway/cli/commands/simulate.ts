import { pause } from '../../../sync/runtime/index.ts'
import { clientProfile, mqttVersion, versionOf } from '../client-option.ts'
import { defineCommand, EXIT } from '../command.ts'
import { duration, flag, integer, text, texts } from '../option.ts'

const REPORT_EVERY = 1000
/** How long to wait at the end for what is still unacknowledged. */
const FINISH_WITHIN = 10_000

export const simulate = defineCommand({
  name: 'simulate',
  summary: 'Run simulated sensors against one or more gateways, and keep a ledger of what was acknowledged.',
  usage: '[--gateway URL]... [--devices N] [--rate N] [--for DURATION] [--ledger FILE] [--misbehave] [--json]',
  description:
    'Sensors measure, buffer a little, reconnect and repeat as firmware does. Readings go to sensors/{device}/{metric} and sensors/{device}. Give the ledger to `tidegate verify` afterwards.',
  options: {
    gateway: texts(
      'URL',
      'Gateways, separated by commas or given one by one; sensors are spread over them, and move to the next when their own dies.',
      'mqtt://127.0.0.1:1883',
    ),
    client: clientProfile('firmware'),
    mqtt: mqttVersion,
    devices: integer('Sensors.', 1, 20),
    rate: integer('Samples a second of each sensor.', 1, 1),
    connections: integer('Connections that they share; one each unless said.', 1),
    for: duration('Stop after this long; otherwise runs until it is stopped.'),
    ledger: text('FILE', 'Write what was sent and acknowledged to this (new) file.'),
    misbehave: flag('Drop-outs, repeats, wrong order, broken payloads, restarts, wrong clocks.'),
    seed: integer('The same seed gives the same signals and the same misbehaviour.', 0, 1),
    json: flag('Print the summary as JSON.'),
  },
  examples: [
    { command: 'tidegate simulate --devices 50 --rate 10 --for 1m', effect: '500 readings a second for a minute' },
    {
      command: 'tidegate simulate --gateway mqtt://gw-1:1883 --gateway mqtt://gw-2:1883 --client tuned',
      effect: 'half of the sensors begin at each; all are at one when the other is dead',
    },
    {
      command: 'tidegate simulate --misbehave --ledger run.ledger --for 30s && tidegate verify --ledger run.ledger',
      effect: 'sends, then checks the central stream',
    },
  ],
  exitCodes: { 1: 'something was not acknowledged until the end' },
  async run({ stdout, stderr, signal, clock }, { options }) {
    const { Fleet, mixedFleet } = await import('../../../simulators/fleet/index.ts')
    const { Ledger, LedgerJournal } = await import('../../../simulators/ledger/index.ts')
    const recording = options.ledger === undefined ? null : LedgerJournal.create({ path: options.ledger, clock })
    const ledger = recording?.ledger ?? new Ledger({ startedAt: clock.now() })
    const fleet = Fleet.start({
      devices: mixedFleet({
        devices: options.devices,
        seed: options.seed,
        trouble: options.misbehave ? 1 : 0,
        name: 'sensor',
      }),
      gateways: options.gateway,
      client: options.client,
      version: versionOf(options.mqtt),
      ledger,
      rate: options.rate,
      seed: options.seed,
      clock,
      ...(options.connections === undefined ? {} : { connections: options.connections }),
    })
    const keepAlive = setInterval(() => {}, 60_000)
    try {
      const end = options.for === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + options.for
      while (!signal.aborted && clock.monotonic() < end) {
        await pause(clock, Math.min(REPORT_EVERY, end - clock.monotonic()), signal)
        const { online, connections, published, acknowledged, waiting } = fleet.stats()
        if (!options.json)
          stderr.write(
            `${online}/${connections} online, ${published} published, ${acknowledged} acknowledged, ${waiting} waiting\n`,
          )
      }
      const summary = await fleet.stop({ within: FINISH_WITHIN })
      if (options.json) stdout.write(`${JSON.stringify(summary)}\n`)
      else
        stdout.write(
          `${summary.published} published, ${summary.acknowledged} acknowledged, ${summary.reconnects} reconnects${summary.clean ? '' : '; some were not acknowledged until the end'}\n`,
        )
      return summary.clean ? EXIT.ok : EXIT.failed
    } finally {
      clearInterval(keepAlive)
      await fleet.stop({ within: 0 })
      recording?.journal.close()
    }
  },
})
